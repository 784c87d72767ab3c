"""The runs of a job as they come in: what each case gets for its own, and which of them the result shows."""

from __future__ import annotations

import asyncio
import math
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from worker.comparing import difference
from worker.faults import ExecutionLost, SessionFileMissing
from worker.pattern import Undecided
from worker.ran import NOTHING
from worker.result import CaseResult, Score, Stream

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from worker.case import Case
    from worker.ran import Captured, Ran
    from worker.result import Status, Verdict
    from worker.session_leases import Lease

TEXT_BYTES = 4 << 10  # of each stream of a case, in the result
COMPARED_BYTES = 8 << 20  # far more than any expectation has
QUICK_BYTES = 64 << 10  # compared in no time
_OUT_OF_LIMITS: dict[Status, Verdict] = {
    "timed_out": "time_limit",
    "out_of_memory": "memory_limit",
    "output_limit": "output_limit",
}


class Grading:
    """Takes the runs in their order. A job without cases has one run, which nothing is compared with."""

    def __init__(self, cases: Sequence[Case]) -> None:
        self._waiting = list(reversed(cases))
        self._cases: list[CaseResult] = []
        self._runs: list[tuple[float | None, float | None]] = []
        self._shown: Ran | None = None

    async def take(self, ran: Ran, lease: Lease) -> None:
        """Judge a run, as long as its session is there.

        Raises:
            ExecutionLost: its output did not come.
        """
        case = self._waiting.pop() if self._waiting else None
        if case:
            self._cases.append(await _judged(case, ran, lease))
        self._runs.append((ran.allocate_ms, ran.execute_ms))
        if self._shown is None or self._shown.status == "succeeded":
            self._shown = _visible(case, len(self._runs) - 1, ran)

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
        """The cases so far."""
        return tuple(self._cases)


def score_of(cases: Sequence[CaseResult]) -> Score | None:
    """The points of all cases; None without cases."""
    if not cases:
        return None
    return Score(points=math.fsum(case.points for case in cases), of=math.fsum(case.of for case in cases))


def verdict_of(cases: Sequence[CaseResult]) -> Verdict | None:
    """Accepted when all cases are, partial when some points were reached, else as the first that is not."""
    failed = next((case.verdict for case in cases if case.verdict != "accepted"), None)
    if failed is None:
        return "accepted" if cases else None
    return "partial" if any(case.points for case in cases) else failed


async def _judged(case: Case, ran: Ran, lease: Lease) -> CaseResult:
    verdict, stdout, diff = _verdict_by_end(case, ran), None, None
    if verdict == "accepted" and case.expect.stdout is not None:
        stdout = await _read(ran.stdout, lease, COMPARED_BYTES)
        verdict, diff = await _compared(case, ran.stdout, stdout)
    return CaseResult(
        name=case.name,
        verdict=verdict,
        points=case.points if verdict == "accepted" else 0,
        of=case.points,
        exit_code=ran.exit_code,
        signal=ran.signal,
        duration_ms=ran.execute_ms,
        stdout=await _stream(case, ran.stdout, lease, stdout),
        stderr=await _stream(case, ran.stderr, lease, None),
        diff=None if case.hidden else diff,
    )


def _verdict_by_end(case: Case, ran: Ran) -> Verdict:
    """What can be said before the output is looked at."""
    if ran.status in _OUT_OF_LIMITS:
        return _OUT_OF_LIMITS[ran.status]
    return "accepted" if ran.exit_code == (case.expect.exit_code or 0) else "runtime_error"


async def _compared(case: Case, captured: Captured, output: bytes | None) -> tuple[Verdict, str | None]:
    if output is None:
        return "wrong_answer", "another run of the program removed the output of this one"
    if captured.size > COMPARED_BYTES:
        return "wrong_answer", f"the output has over {COMPARED_BYTES:,} bytes"
    try:
        diff = await _difference(case, output)
    except Undecided as error:
        return "internal_error", str(error)
    return ("wrong_answer", diff) if diff else ("accepted", None)


async def _difference(case: Case, output: bytes) -> str | None:
    """In a thread when it may take long: messages' locks are renewed meanwhile."""
    wanted = (case.compare, case.expect.stdout or "", output, case.tolerance)
    if case.compare == "regex" or len(output) > QUICK_BYTES:
        return await asyncio.to_thread(difference, *wanted)
    return difference(*wanted)


async def _stream(case: Case, captured: Captured, lease: Lease, data: bytes | None) -> Stream:
    """The beginning of a stream; of a hidden case nothing, since programs may print what they read."""
    if case.hidden:
        return Stream()
    if data is None:
        data = await _read(captured, lease, TEXT_BYTES) or b""
    text = data[:TEXT_BYTES].decode("utf-8", "replace")
    truncated = captured.truncated or captured.size > TEXT_BYTES
    return Stream(text=text, bytes=captured.size, truncated=truncated)


async def _read(captured: Captured, lease: Lease, limit: int) -> bytes | None:
    """The first bytes of what was captured; None for a file of the session that is no longer there."""
    if captured.data is not None:
        return captured.data[:limit]
    data = bytearray()
    try:
        pieces = cast("AsyncGenerator[bytes, None]", lease.download(captured.name or ""))
        async with aclosing(pieces):
            async for piece in pieces:
                data += piece
                if len(data) >= limit:
                    break
    except SessionFileMissing:
        return None
    if len(data) < min(limit, captured.size):
        raise ExecutionLost(f"{len(data)} bytes of a stream of {captured.size} came")
    return bytes(data[:limit])


def _visible(case: Case | None, index: int, ran: Ran) -> Ran:
    """What the result shows of a run: which case it was, and nothing that a hidden one left."""
    if case is None:
        return ran
    error = ran.error and ran.error.model_copy(update={"field": ran.error.field or f"cases.{index}"})
    if case.hidden:
        return replace(ran, error=error, stdout=NOTHING, stderr=NOTHING, files=())
    return replace(ran, error=error)
