from collections.abc import AsyncIterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.case import Case, CasesFile
from worker.faults import SessionFileMissing
from worker.grading import CHECKED_IN_ALL_BYTES, Grading, Opinion, score_of, verdict_of
from worker.judging import CHECKED_BYTES, COMPARED_BYTES, TEXT_BYTES
from worker.model import InlineCode
from worker.ran import NOTHING, Captured, Ran
from worker.result import CaseResult, Error, Score, Verdict

if TYPE_CHECKING:
    from worker.lease import Lease

VERDICTS: list[Verdict] = ["accepted", "wrong_answer", "runtime_error", "time_limit", "internal_error"]


class Session:
    """The files that runs left in a session, as a lease gives them."""

    def __init__(self, **files: bytes) -> None:
        self.files = files
        self.pieces = 0

    async def download(self, name: str, size: int) -> AsyncIterator[bytes]:
        if name not in self.files:
            raise SessionFileMissing(name)
        for start in range(0, size, 1000):
            self.pieces += 1
            yield self.files[name][start : min(start + 1000, size)]


def case(stdout: str | None = "3\n", **fields: Any) -> Case:  # noqa: ANN401 - Case's own
    exit_code = fields.pop("exit_code", None)
    return Case.model_validate({"name": "a", "expect": {"stdout": stdout, "exit_code": exit_code}, **fields})


def ran(stdout: bytes | Captured = b"3\n", **fields: Any) -> Ran:  # noqa: ANN401 - Ran's own
    captured = Captured(len(stdout), data=stdout) if isinstance(stdout, bytes) else stdout
    given: dict[str, Any] = {"status": "succeeded", "exit_code": 0, "execute_ms": 5.0, "allocate_ms": 3.0}
    return Ran(**given | {"stdout": captured} | fields)


FAILED = ran(status="failed", exit_code=2, error=Error(code="exit_code", message="it exited with code 2"))


async def graded(
    cases: list[Case], runs: list[Ran], session: Session | None = None, **fields: object
) -> Grading:
    grading = Grading(CasesFile.model_validate({"version": 1, "cases": tuple(cases), **fields}))
    for run in runs:
        await grading.take(run, cast("Lease", session or Session()))
    return grading


async def judged(expected: Case, run: Ran, session: Session | None = None) -> CaseResult:
    return (await graded([expected], [run], session)).cases[0]


@pytest.mark.parametrize(
    ("expected", "run", "verdict"),
    [
        (case(), ran(), "accepted"),
        (case(), ran(b"4\n"), "wrong_answer"),
        (case(), FAILED, "runtime_error"),
        (case(), ran(status="failed", exit_code=None, signal="SIGSEGV"), "runtime_error"),
        (case(), ran(status="timed_out", exit_code=None), "time_limit"),
        (case(), ran(status="out_of_memory", exit_code=None), "memory_limit"),
        (case(), ran(status="output_limit", exit_code=0), "output_limit"),
        (case(exit_code=2), FAILED, "accepted"),
        (case("4", exit_code=2), FAILED, "wrong_answer"),
        (case(exit_code=2), ran(), "runtime_error"),
        (case(None), ran(b"anything"), "accepted"),
        (case(None), FAILED, "runtime_error"),
    ],
)
async def test_a_case_is_judged_by_its_end_and_then_by_its_output(
    expected: Case, run: Ran, verdict: Verdict
) -> None:
    result = await judged(expected.model_copy(update={"points": 2}), run)
    assert result.verdict == verdict
    assert (result.points, result.of) == (2 if verdict == "accepted" else 0, 2)
    assert (result.exit_code, result.signal, result.duration_ms) == (run.exit_code, run.signal, 5)
    assert (result.diff is not None) == (verdict == "wrong_answer")


async def test_a_pattern_that_takes_too_long_is_no_wrong_answer() -> None:
    result = await judged(case(r"(a|aa)+$", compare="regex"), ran(b"a" * 5000 + b"b"))
    assert (result.verdict, result.points) == ("internal_error", 0)
    assert result.diff
    assert "takes over" in result.diff


async def test_of_a_hidden_case_nothing_that_it_printed_is_in_the_result() -> None:
    secret = Captured(6, data=b"secret")
    hidden = replace(FAILED, stdout=secret, stderr=secret, files=(("a.txt", secret),))
    wrong = ran(b"secret")
    grading = await graded([case(hidden=True), case(hidden=True, name="b")], [wrong, hidden])
    shown = grading.ran
    assert (shown.stdout, shown.stderr, shown.files, shown.exit_code) == (NOTHING, NOTHING, (), 2)
    assert all("secret" not in result.model_dump_json() for result in grading.cases)
    assert [result.diff for result in grading.cases] == [None, None]


async def test_the_result_shows_the_first_run_that_did_not_succeed_and_which_it_was() -> None:
    last = ran(status="timed_out", exit_code=None)
    grading = await graded([case()] * 3, [ran(), FAILED, last])
    assert (grading.ran.status, grading.ran.exit_code) == ("failed", 2)
    assert grading.ran.error == Error(code="exit_code", message="it exited with code 2", field="cases.1")
    assert (grading.ran.allocate_ms, grading.ran.execute_ms) == (3, 15)


async def test_the_result_shows_the_last_run_when_all_succeeded() -> None:
    grading = await graded([case()] * 2, [ran(b"wrong"), ran(b"last", allocate_ms=0.0)])
    assert (grading.ran.status, grading.ran.stdout.data) == ("succeeded", b"last")
    assert (grading.ran.allocate_ms, grading.ran.execute_ms) == (3, 10)


async def test_a_job_without_cases_shows_its_run_as_it_is() -> None:
    grading = await graded([], [FAILED])
    assert grading.ran == FAILED
    assert (grading.cases, verdict_of(grading.cases), score_of(grading.cases)) == ((), None, None)


async def test_only_the_beginning_of_a_stream_is_kept_for_a_case() -> None:
    result = await judged(case(None), ran(b"x" * (TEXT_BYTES + 1)))
    assert (len(result.stdout.text), result.stdout.bytes, result.stdout.truncated) == (4096, 4097, True)


async def test_output_that_lies_in_the_session_is_compared_whole() -> None:
    output = b"x" * 100_000 + b"\n"
    run = ran(stdout=Captured(len(output), name="out"), stderr=Captured(5000, name="err"))
    result = await judged(case("x" * 100_000), run, Session(out=output, err=b"e" * 5000))
    assert (result.verdict, result.stdout.bytes, len(result.stderr.text)) == ("accepted", 100_001, TEXT_BYTES)


async def test_of_output_that_nothing_is_compared_with_no_more_is_read_than_is_kept() -> None:
    session = Session(out=b"x" * 1_000_000)
    await judged(case(None), ran(stdout=Captured(1_000_000, name="out")), session)
    assert session.pieces == 5


async def test_output_that_another_run_removed_is_a_wrong_answer() -> None:
    result = await judged(case(), ran(stdout=Captured(100_000, name="out")))
    assert (result.verdict, result.stdout.text) == ("wrong_answer", "")


async def test_output_far_longer_than_any_expectation_is_not_compared() -> None:
    output = b"3\n" + b"\n" * COMPARED_BYTES
    result = await judged(case(), ran(output))
    assert (result.verdict, result.diff) == ("wrong_answer", "the output has over 8,388,608 bytes")


async def test_what_hidden_cases_left_is_kept_apart_by_the_index_of_the_case() -> None:
    cases = [case(), case(hidden=True), case(None, hidden=True)]
    grading = await graded(cases, [ran(b"shown"), ran(b"secret"), ran(b"")])
    assert list(grading.hidden) == ["1"]
    assert grading.hidden["1"] == {
        "stdout": {"text": "secret", "bytes": 6, "truncated": False, "blob": None},
        "stderr": {"text": "", "bytes": 0, "truncated": False, "blob": None},
        "diff": "line 1 (- expected, + output):\n-3\n+secret",
        "message": None,
    }


ASKED: dict[str, Any] = {"checker": InlineCode(inline="")}


async def test_what_a_checker_is_to_judge_is_not_accepted_before_it_did() -> None:
    cases = [case(compare="checker", points=4), case(), case(compare="checker")]
    grading = await graded(cases, [ran(b"a"), ran(), FAILED], **ASKED)
    assert [result.verdict for result in grading.cases] == ["internal_error", "accepted", "runtime_error"]
    assert grading.to_check == [(0, b"a")]
    grading.hear(0, Opinion(0.25, "close"))
    assert grading.to_check == []
    first = grading.cases[0]
    assert (first.verdict, first.points, first.message) == ("wrong_answer", 1, "close")


async def test_a_checker_that_failed_is_no_wrong_answer() -> None:
    grading = await graded([case(compare="checker")], [ran(b"a")], **ASKED)
    grading.hear(0, Opinion(None, "it failed"))
    assert (grading.cases[0].verdict, grading.cases[0].points) == ("internal_error", 0)


async def test_output_for_the_checker_has_a_bound_for_each_case_and_for_all() -> None:
    large = ran(stdout=Captured(CHECKED_BYTES, data=b"x" * CHECKED_BYTES))
    over = ran(b"x" * (CHECKED_BYTES + 1))
    count = CHECKED_IN_ALL_BYTES // CHECKED_BYTES
    cases = [case(compare="checker")] * (count + 2)
    grading = await graded(cases, [over, *[large] * (count + 1)], **ASKED)
    assert [index for index, _ in grading.to_check] == list(range(1, count + 1))
    assert [grading.cases[at].verdict for at in (0, count + 1)] == ["wrong_answer"] * 2
    assert "together" in str(grading.cases[-1].message)


STOP: dict[str, Any] = {"stop_at_first_failure": True}


async def test_after_the_first_failure_cases_are_skipped_whether_they_ran_or_not() -> None:
    grading = await graded([case(points=n) for n in range(5)], [ran(), ran(b"4"), FAILED], **STOP)
    assert grading.is_over
    assert [result.verdict for result in grading.cases] == ["accepted", "wrong_answer", *["skipped"] * 3]
    assert score_of(grading.cases) == Score(points=0, of=10)
    assert grading.ran.status == "succeeded"


async def test_the_first_failure_counts_in_the_order_of_the_cases_when_the_checker_finds_it_later() -> None:
    cases = [case(compare="checker"), case(compare="checker"), case(), case(compare="checker")]
    grading = await graded(cases, [ran(b"a"), ran(b"b"), FAILED], **ASKED, **STOP)
    assert [index for index, _ in grading.to_check] == [0, 1]
    grading.hear(0, Opinion(0))
    assert grading.to_check == []
    assert [result.verdict for result in grading.cases] == ["wrong_answer", *["skipped"] * 3]


async def test_a_case_that_is_hidden_and_skipped_is_still_told_as_hidden() -> None:
    grading = await graded([case(), case(hidden=True)], [FAILED], **STOP)
    assert [result.hidden for result in grading.cases] == [False, True]
    assert grading.hidden == {}


RESULTS = st.builds(
    lambda verdict, of: CaseResult(
        name="a", verdict=verdict, points=of if verdict == "accepted" else 0, of=of
    ),
    st.sampled_from(VERDICTS),
    st.integers(0, 5),
)


@given(st.lists(RESULTS, min_size=1))
def test_a_job_is_unjudged_with_one_case_accepted_with_all_partial_with_points_else_as_its_first_failure(
    results: list[CaseResult],
) -> None:
    failures = [result.verdict for result in results if result.verdict != "accepted"]
    score = score_of(results)
    assert score == Score(points=sum(r.points for r in results), of=sum(r.of for r in results))
    verdict = verdict_of(results)
    if not failures:
        assert verdict == "accepted"
    elif "internal_error" in failures:
        assert verdict == "internal_error"
    else:
        assert verdict == ("partial" if score.points else failures[0])
