"""What a harness reported of its tests, as results of the cases that name them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from worker.case import Case
from worker.faults import JobRejected
from worker.judging import LIMITED
from worker.result import CaseResult
from worker.strict_json import parse_json

if TYPE_CHECKING:
    from worker.case import CasesFile
    from worker.ran import Ran
    from worker.result import Verdict

MAX_TESTS = 1000
NAME_CHARS = 500
SEPARATOR = " > "
WHOLE_RUN = "all tests are run"


class _Event(BaseModel):
    """A line of the report. ``own`` is false where nothing but subtests failed."""

    model_config = ConfigDict(frozen=True)

    type: Literal["ready", "start", "pass", "fail", "end"]
    name: str = ""
    nesting: Annotated[int, Field(ge=0, le=100)] = 0
    duration_ms: float | None = None
    skipped: bool = False
    own: bool = True
    message: str | None = None


@dataclass(frozen=True)
class Test:
    """How one test went; one that was reported more than once went well if it did each time."""

    ok: bool
    message: str | None = None
    duration_ms: float | None = None


@dataclass
class Report:
    """The tests by their names, ``outer > inner``.

    Attributes:
        is_ready: what must be done before the harness was done; else the run says nothing of the submission.
        is_complete: the run came to its end.
    """

    tests: dict[str, Test] = field(default_factory=dict)
    is_ready: bool = False
    is_complete: bool = False


def tested(asked: CasesFile, ran: Ran) -> tuple[CaseResult, ...]:
    """A result for each test that is asked for; for each that was reported where none is named."""
    report = report_of(ran.report or "")
    if asked.cases:
        return tuple(_listed(case, report, ran) for case in asked.cases)
    results = [_listed(_case(asked, name), report, ran) for name in list(report.tests)[:MAX_TESTS]]
    if not report.is_complete or not results:
        message = "it ended before all tests were reported" if results else "no test was reported"
        results.append(_not_run(_case(asked, WHOLE_RUN), message, report, ran))
    return tuple(results)


def report_of(lines: str) -> Report:
    """Read a report; lines that make no sense are passed over."""
    report, path = Report(), _Path()
    for line in lines.splitlines():
        event = _event(line)
        if event is None:
            continue
        if event.type == "ready":
            report.is_ready = True
        elif event.type == "end":
            report.is_complete = True
        elif event.type == "start":
            path.enter(event.nesting, event.name)
        elif path.leave(event.nesting) or (event.type == "fail" and event.own):
            _add(report, path.name(event.nesting, event.name), event)
    return report


class _Path:
    """Where in the tree of tests a report is: they come in order, each with its subtests before its end."""

    def __init__(self) -> None:
        self._names: list[str] = []
        self._parents: set[int] = set()

    def enter(self, nesting: int, name: str) -> None:
        self._parents.discard(nesting)
        self._parents.add(nesting - 1)
        self._names = [*(self._names + [""] * nesting)[:nesting], name]

    def leave(self, nesting: int) -> bool:
        """Whether the test that ends had no subtests."""
        is_leaf = nesting not in self._parents
        self._parents.discard(nesting)
        return is_leaf

    def name(self, nesting: int, name: str) -> str:
        return SEPARATOR.join([*self._names[:nesting], name])[:NAME_CHARS]


def _event(line: str) -> _Event | None:
    try:
        return _Event.model_validate(parse_json(line.encode()))
    except (JobRejected, ValidationError):
        return None


def _add(report: Report, name: str, event: _Event) -> None:
    if event.skipped:
        return
    before = report.tests.get(name)
    if before is None or before.ok:
        report.tests[name] = Test(event.type == "pass", event.message, event.duration_ms)


def _listed(case: Case, report: Report, ran: Ran) -> CaseResult:
    test = report.tests.get(case.name)
    if test is None:
        reported = "the harness reported no test of this name"
        ended = "the run ended before this test was reported"
        return _not_run(case, reported if report.is_complete else ended, report, ran)
    verdict: Verdict = "accepted" if test.ok else "wrong_answer"
    return _result(case, verdict, test.message, test.duration_ms)


def _not_run(case: Case, message: str, report: Report, ran: Ran) -> CaseResult:
    """The run may have ended in good order, with the tests left out: that is no success."""
    if not report.is_ready and ran.status not in LIMITED:
        return _result(case, "internal_error", "the harness could not be started", None)
    return _result(case, LIMITED.get(ran.status, "runtime_error"), message, None)


def _result(case: Case, verdict: Verdict, message: str | None, duration_ms: float | None) -> CaseResult:
    return CaseResult(
        name=case.name,
        verdict=verdict,
        points=case.points if verdict == "accepted" else 0,
        of=case.points,
        duration_ms=duration_ms,
        message=message,
        hidden=case.hidden,
    )


def _case(asked: CasesFile, name: str) -> Case:
    return Case.model_construct(name=name, points=asked.points)
