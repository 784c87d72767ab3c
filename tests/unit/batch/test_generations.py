"""Which generation counts is a history that only grows; a job's result is that of the latest which has it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.batch.graded import FOLDER, Course
from worker.batch import BatchError, Folder
from worker.faults import AlreadyCommitted, InfrastructureFault
from worker.generations import Generations, change_generations, read_generations
from worker.regrading import Request
from worker.views import counting, generation

if TYPE_CHECKING:
    from collections.abc import Sequence

AT = datetime(2026, 1, 1, 12, tzinfo=UTC)
EMPTY = Generations(batch="hw1")


async def promoted(course: Course, *numbers: int) -> None:
    for number in numbers:
        await change_generations(course.blobs, FOLDER, lambda record, n=number: record.promoted(n, AT))  # type: ignore[misc]


def test_at_first_the_batch_itself_counts() -> None:
    assert EMPTY.counted == (1,)
    with pytest.raises(BatchError, match="no promotion to undo"):
        EMPTY.undone(AT)


def test_the_latest_promotion_counts_most_and_is_undone_first() -> None:
    record = EMPTY.promoted(2, AT).promoted(4, AT)
    assert record.counted == (4, 2, 1)
    assert record.undone(AT).counted == (2, 1)
    assert record.undone(AT).undone(AT).counted == (1,)


def test_what_counts_already_is_not_promoted_again() -> None:
    record = EMPTY.promoted(2, AT)
    assert record.promoted(2, AT) is record


def test_promoting_the_first_generation_makes_it_count_alone_and_can_be_undone() -> None:
    record = EMPTY.promoted(2, AT).promoted(1, AT)
    assert record.counted == (1,)
    assert record.undone(AT).counted == (2, 1)


@given(st.lists(st.integers(1, 5), max_size=12))
def test_as_many_steps_back_as_forward_lead_to_the_beginning(numbers: Sequence[int]) -> None:
    record, steps = EMPTY, [EMPTY]
    for number in numbers:
        after = record.promoted(number, AT)
        steps += [after] if after != record else []
        record = after
    for step in reversed(steps[:-1]):
        record = record.undone(AT)
        assert record.counted == step.counted
    assert len(record.promotions) == 2 * (len(steps) - 1), "history only grows"


async def test_each_job_has_the_result_of_the_latest_generation_that_has_it() -> None:
    course = Course()
    await course.graded(a="wrong_answer", b="wrong_answer", c="wrong_answer")
    for only in (("a", "b"), ("b",)):
        (begun,) = await course.regrade(Request(only=only))
        await course.grade(begun.batch, **dict.fromkeys(only, "accepted"))
    await promoted(course, 2, 3)
    view = await counting(course.blobs, FOLDER)
    assert {job_id: folder.batch for job_id, folder in view.places.items()} == {
        "a": "hw1.g2", "b": "hw1.g3", "c": "hw1",
    }  # fmt: skip
    assert view.title == "generation 3 (where it has none, 2, then 1)"
    assert view.result("b") == "results/hw1.g3/b/result.json"


async def test_jobs_that_were_submitted_later_have_the_result_of_the_batch() -> None:
    course = Course()
    await course.graded(a="wrong_answer")
    await course.regrade()
    await promoted(course, 2)
    assert (await counting(course.blobs, FOLDER)).numbers == (2,)
    await course.submit("b")
    view = await counting(course.blobs, FOLDER)
    assert (view.numbers, view.places["b"]) == ((2, 1), FOLDER)


async def test_one_generation_is_what_it_has() -> None:
    course = Course()
    await course.graded(a="wrong_answer", b="wrong_answer")
    await course.regrade(Request(only=("b",)))
    assert (await generation(course.blobs, FOLDER, 2)).places == {"b": Folder("results", "hw1.g2")}
    assert list((await generation(course.blobs, FOLDER, 1)).places) == ["a", "b"]
    with pytest.raises(BatchError, match="no generation 3; there are: 1, 2"):
        await generation(course.blobs, FOLDER, 3)


async def test_a_generation_whose_jobs_are_not_fixed_yet_is_told() -> None:
    course = Course()
    await course.graded(a="wrong_answer")
    course.calls.last = course.calls.made + 1
    with pytest.raises(InfrastructureFault):
        await course.regrade()
    with pytest.raises(BatchError, match="has no jobs yet: run that jsworker regrade again"):
        await generation(course.blobs, FOLDER, 2)


async def test_a_change_beside_another_keeps_both() -> None:
    course = Course()
    await course.graded(a="wrong_answer")
    await course.regrade()
    tries = []

    def change(record: Generations) -> Generations:
        tries.append(record)
        if len(tries) == 1:
            other = record.promoted(2, AT).model_dump_json().encode()
            course.blobs._write("results/hw1/_batch/generations.json", other, "application/json")
        return record.promoted(3, AT)

    record = await change_generations(course.blobs, FOLDER, change)
    assert [promotion.generation for promotion in record.promotions] == [2, 3]


@pytest.mark.parametrize("standing", [True, False])
async def test_an_undoing_whose_answer_was_lost_is_not_done_twice(*, standing: bool) -> None:
    course = Course()
    await course.graded(a="wrong_answer")
    await course.regrade()
    await promoted(course, *((2, 3) if standing else (3,)))
    put = course.blobs.put

    async def lost(*arguments: object, **options: object) -> str:
        course.blobs.put = put  # type: ignore[method-assign]
        await put(*arguments, **options)  # type: ignore[arg-type]
        raise AlreadyCommitted("by this very call")

    course.blobs.put = lost  # type: ignore[method-assign]
    await change_generations(course.blobs, FOLDER, lambda record: record.undone(datetime.now(UTC)))
    record = await read_generations(course.blobs, FOLDER)
    assert record.counted == ((2, 1) if standing else (1,))
