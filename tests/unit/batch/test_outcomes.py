"""How jobs ended is read from the records at once, and from results where a record may be outdated."""

from __future__ import annotations

import pytest

from tests.unit.batch.fakes import result
from tests.unit.batch.graded import FOLDER, Course
from worker.batch import Folder
from worker.outcomes import Outcome, outcomes


async def read(course: Course, *ids: str) -> dict[str, str]:
    found = await outcomes(course.blobs, dict.fromkeys(ids, FOLDER))
    return {job_id: outcome.word for job_id, outcome in found.items()}


async def test_results_that_cannot_change_any_more_are_not_read() -> None:
    course = Course()
    await course.graded(a="accepted", b="wrong_answer")
    course.blobs.reads.clear()
    assert await read(course, "a", "b") == {"a": "accepted", "b": "wrong_answer"}
    assert course.blobs.reads == ["results/hw1/_batch/progress-00000.jsonl"]


async def test_a_failure_that_was_replaced_counts_as_what_replaced_it() -> None:
    course = Course()
    await course.graded(a="infrastructure_failed", b="infrastructure_failed")
    await course.grade(a="accepted")
    line = result("a", status="infrastructure_failed").progress_line()
    await course.blobs.append("results/hw1/_batch/progress-00000.jsonl", line)
    assert await read(course, "a", "b") == {"a": "accepted", "b": "infrastructure_failed"}


async def test_a_result_whose_line_is_missing_is_read_and_what_has_none_is_left_out() -> None:
    course = Course()
    await course.submit("a", "b")
    ended = result("a", status="failed").model_dump_json().encode()
    await course.blobs.create(FOLDER.result("a"), ended)
    assert await read(course, "a", "b") == {"a": "failed"}


@pytest.mark.parametrize("data", [b"", b"[]", b'{"by": "somebody else"}', b"\xff"])
async def test_what_is_no_result_is_no_grade_and_no_error(data: bytes) -> None:
    course = Course()
    await course.submit("a")
    await course.blobs.create(FOLDER.result("a"), data)
    (outcome,) = (await outcomes(course.blobs, {"a": FOLDER})).values()
    assert (outcome.word, outcome.is_graded) == ("unreadable", False)


async def test_each_job_is_looked_for_in_its_place() -> None:
    course = Course()
    await course.graded(a="wrong_answer", b="wrong_answer")
    await course.regrade()
    await course.grade("hw1.g2", a="accepted", b="accepted")
    found = await outcomes(course.blobs, {"a": FOLDER, "b": Folder("results", "hw1.g2")})
    assert [found["a"].word, found["b"].word] == ["wrong_answer", "accepted"]


@pytest.mark.parametrize(
    ("outcome", "accepted", "graded", "final"),
    [
        (Outcome("a", "succeeded"), True, True, True),
        (Outcome("a", "succeeded", "accepted"), True, True, True),
        (Outcome("a", "failed", "accepted"), True, True, True),
        (Outcome("a", "succeeded", "internal_error"), False, False, False),
        (Outcome("a", "infrastructure_failed"), False, False, False),
        (Outcome("a", "cancelled"), False, False, True),
        (Outcome("a", "rejected"), False, True, False),
    ],
)
def test_what_an_outcome_is(outcome: Outcome, accepted: bool, graded: bool, final: bool) -> None:  # noqa: FBT001 - a table
    assert (outcome.is_accepted, outcome.is_graded, outcome.is_final) == (accepted, graded, final)
