"""The runs of a job as they come in: what each case gets for its own, and which of them the result shows."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from worker.harness import tested
from worker.judging import beginning, judged
from worker.ran import NOTHING
from worker.result import CaseResult, Score, Stream

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from worker.case import CasesFile
    from worker.lease import Lease
    from worker.ran import Ran
    from worker.result import Verdict

CHECKED_IN_ALL_BYTES = 16 << 20  # the output of all cases that waits for the checker
_PRIVATE = {"stdout", "stderr", "diff", "message"}


@dataclass(frozen=True)
class Opinion:
    """What the checker says of a case: the share of its points, or None if it did not do its part."""

    share: float | None
    message: str | None = None


class Grading:
    """Takes the runs in their order. A job without cases has one run, which nothing is compared with."""

    def __init__(self, asked: CasesFile) -> None:
        self._asked = asked
        self._cases: list[CaseResult] = []
        self._runs: list[tuple[float | None, float | None]] = []
        self._shown: Ran | None = None
        self._unchecked: dict[int, bytes] = {}

    async def take(self, ran: Ran, lease: Lease) -> None:
        """Judge a run, as long as its session is there; after the end none counts any more.

        Raises:
            ExecutionLost: its output did not come.
        """
        if self.is_over:
            return
        index = len(self._runs)
        if self._asked.harness:
            self._cases = await _with_output(tested(self._asked, ran), ran, lease)
        elif self._asked.cases:
            await self._judge(index, ran, lease)
        self._runs.append((ran.allocate_ms, ran.execute_ms))
        if self._shown is None or self._shown.status == "succeeded":
            self._shown = self._visible(index, ran)

    async def _judge(self, index: int, ran: Ran, lease: Lease) -> None:
        judgement = await judged(self._asked.cases[index], ran, lease)
        result, output = judgement.result, judgement.output
        if output is not None:
            waiting = sum(map(len, self._unchecked.values()))
            if waiting + len(output) > CHECKED_IN_ALL_BYTES:
                message = f"the output of all cases together has over {CHECKED_IN_ALL_BYTES:,} bytes"
                result = _with(result, "wrong_answer", 0, message)
            else:
                self._unchecked[index] = output
                result = _with(result, "internal_error", 0, "the checker was not asked")
        self._cases.append(result)

    @property
    def to_check(self) -> list[tuple[int, bytes]]:
        """The cases, by index, and the output of each that the checker is to be asked about, in order."""
        end = len(self._cases) if self._end is None else self._end
        return [(index, output) for index, output in self._unchecked.items() if index < end]

    def hear(self, index: int, opinion: Opinion) -> None:
        """Take what the checker says of a case."""
        del self._unchecked[index]
        case = self._cases[index]
        if opinion.share is None:
            self._cases[index] = _with(case, "internal_error", 0, opinion.message)
        else:
            verdict: Verdict = "accepted" if opinion.share == 1 else "wrong_answer"
            self._cases[index] = _with(case, verdict, case.of * opinion.share, opinion.message)

    @property
    def is_over(self) -> bool:
        """Whether a case failed after which no other counts."""
        return self._end is not None

    @property
    def _end(self) -> int | None:
        """How many cases count, when the first failure ends all and is known; else None."""
        if not self._asked.stop_at_first_failure:
            return None
        known = (
            at
            for at, case in enumerate(self._cases, 1)
            if case.verdict != "accepted" and at - 1 not in self._unchecked
        )
        return next(known, None)

    @property
    def ran(self) -> Ran:
        """The first run that did not succeed, else the last, with the times of all."""
        if self._shown is None:
            raise ValueError("nothing has run")
        times = [time for _, time in self._runs if time is not None]
        return replace(
            self._shown, allocate_ms=self._runs[0][0], execute_ms=math.fsum(times) if times else None
        )

    @property
    def cases(self) -> tuple[CaseResult, ...]:
        """The cases as the result shows them: of hidden ones nothing that they left."""
        nothing = {"stdout": Stream(), "stderr": Stream(), "diff": None, "message": None}
        return tuple(case.model_copy(update=nothing) if case.hidden else case for case in self._all())

    @property
    def hidden(self) -> dict[str, Any]:
        """What hidden cases left, by index, for those who set the cases."""
        left = {
            str(index): case.model_dump(mode="json", include=_PRIVATE)
            for index, case in enumerate(self._all())
            if case.hidden
        }
        return {index: details for index, details in left.items() if _is_something(details)}

    def _all(self) -> list[CaseResult]:
        """The cases so far; where the first failure ends all, those after it too."""
        end = self._end
        if end is None:
            return self._cases
        skipped = [
            CaseResult(name=case.name, verdict="skipped", points=0, of=case.points, hidden=case.hidden)
            for case in self._asked.cases[end:]
        ]
        return [*self._cases[:end], *skipped]

    def _visible(self, index: int, ran: Ran) -> Ran:
        """What the result shows of a run: which case it was, and nothing that a hidden one left."""
        cases, is_harness = self._asked.cases, self._asked.harness is not None
        if cases and not is_harness and ran.error:
            field = ran.error.field or f"cases.{index}"
            ran = replace(ran, error=ran.error.model_copy(update={"field": field}))
        if any(case.hidden for case in (cases if is_harness else cases[index : index + 1])):
            return replace(ran, stdout=NOTHING, stderr=NOTHING, files=())
        return ran


def score_of(cases: Sequence[CaseResult]) -> Score | None:
    """The points of all cases; None without cases."""
    if not cases:
        return None
    return Score(points=math.fsum(case.points for case in cases), of=math.fsum(case.of for case in cases))


def verdict_of(cases: Sequence[CaseResult]) -> Verdict | None:
    """Accepted when all cases are, partial when some points were reached, else as the first that is not.

    One that could not be judged leaves the whole job unjudged: its points would be too few.
    """
    if any(case.verdict == "internal_error" for case in cases):
        return "internal_error"
    failed = next((case.verdict for case in cases if case.verdict != "accepted"), None)
    if failed is None:
        return "accepted" if cases else None
    return "partial" if any(case.points for case in cases) else failed


async def _with_output(cases: Sequence[CaseResult], ran: Ran, lease: Lease) -> list[CaseResult]:
    """The tests of a harness; what it printed stands with the first that is hidden."""
    first = next((index for index, case in enumerate(cases) if case.hidden), None)
    if first is None:
        return list(cases)
    streams = {"stdout": await beginning(ran.stdout, lease), "stderr": await beginning(ran.stderr, lease)}
    return [case.model_copy(update=streams if index == first else {}) for index, case in enumerate(cases)]


def _with(case: CaseResult, verdict: Verdict, points: float, message: str | None) -> CaseResult:
    return case.model_copy(update={"verdict": verdict, "points": points, "message": message})


def _is_something(details: Mapping[str, Any]) -> bool:
    streams = details["stdout"]["bytes"] or details["stderr"]["bytes"]
    return bool(streams or details["diff"] or details["message"])
