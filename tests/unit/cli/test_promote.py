"""What counts is changed by promotion only, step by step and back."""

from __future__ import annotations

import click
import pytest

from tests.unit.batch.graded import FOLDER, Course
from worker.batch import BatchError, Folder
from worker.cli.promote import promote
from worker.cli.regrade import meant
from worker.cli.results import Reporting, report, view_of
from worker.completion import read_completion
from worker.faults import InfrastructureFault
from worker.generations import read_generations
from worker.regrading import Request


async def course_with_two() -> Course:
    """A batch of which generation 2 has job b only."""
    course = Course()
    await course.graded(a="wrong_answer", b="wrong_answer")
    await course.regrade(Request(only=("b",)))
    await course.grade("hw1.g2", b="accepted")
    return course


async def test_a_generation_is_promoted_and_the_promotion_undone() -> None:
    course = await course_with_two()
    view, ungraded = await promote(course.blobs, FOLDER, 2)
    assert (view.title, ungraded) == ("generation 2 (where it has none, 1)", 0)
    view, _ = await promote(course.blobs, FOLDER, None)
    assert view.title == "generation 1"
    record = await read_generations(course.blobs, FOLDER)
    history = [(each.generation, each.undoes) for each in record.promotions]
    assert history == [(2, None), (1, 2)]
    with pytest.raises(BatchError, match="no promotion to undo"):
        await promote(course.blobs, FOLDER, None)


async def test_what_is_shown_is_what_counts_and_that_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    course = await course_with_two()

    async def shown(number: int | None = None) -> tuple[list[str], str]:
        view = await view_of(course.blobs, FOLDER, number)
        await report(course.blobs, view, list(view.places), Reporting())
        captured = capsys.readouterr()
        rows = captured.out.partition("\n\n")[0].splitlines()[1:]
        return [row.split()[1] for row in rows], captured.err

    assert await shown() == (["wrong_answer", "wrong_answer"], "")
    assert await shown(2) == (["accepted"], "jsworker: hw1: generation 2\n")
    await promote(course.blobs, FOLDER, 2)
    said_of_it = "jsworker: hw1: generation 2 (where it has none, 1)\n"
    assert await shown() == (["wrong_answer", "accepted"], said_of_it)
    assert await shown(1) == (["wrong_answer", "wrong_answer"], "")


async def test_a_generation_that_is_not_complete_is_not_promoted() -> None:
    course = Course()
    await course.graded(a="wrong_answer", b="wrong_answer")
    await course.regrade()
    await course.grade("hw1.g2", a="accepted")
    with pytest.raises(BatchError, match=r"not complete: jsworker watch hw1\.g2"):
        await promote(course.blobs, FOLDER, 2)
    assert (await read_generations(course.blobs, FOLDER)).counted == (1,)


async def test_jobs_that_are_not_graded_are_counted() -> None:
    course = Course()
    await course.graded(a="wrong_answer", b="wrong_answer")
    await course.regrade()
    await course.grade("hw1.g2", a="infrastructure_failed", b="accepted")
    assert (await promote(course.blobs, FOLDER, 2))[1] == 1


@pytest.mark.parametrize(
    ("batch", "number", "says"),
    [
        ("absent", 2, "no batch 'absent'"),
        ("absent", None, "no batch 'absent'"),
        ("hw1", 3, "no generation 3; there are: 1, 2"),
        ("hw1.g2", 2, "is generation 2 of 'hw1'"),
    ],
)
async def test_what_is_not_there_is_an_error(batch: str, number: int | None, says: str) -> None:
    course = await course_with_two()
    before = dict(course.blobs.blobs)
    with pytest.raises(BatchError, match=says):
        await promote(course.blobs, Folder("results", batch), number)
    assert course.blobs.blobs == before


async def test_cut_off_at_any_call_it_has_happened_or_not_and_can_be_repeated() -> None:
    for last in range(2):
        course = await course_with_two()
        course.calls.last = course.calls.made + last
        with pytest.raises(InfrastructureFault):
            await promote(course.blobs, FOLDER, 2)
        course.calls.last = None
        assert (await read_generations(course.blobs, FOLDER)).counted == (1,)
        for _ in range(2):
            view, _ = await promote(course.blobs, FOLDER, 2)
            assert view.numbers == (2, 1)
        assert len((await read_generations(course.blobs, FOLDER)).promotions) == 1
        assert await read_completion(course.blobs, Folder("results", "hw1.g2"))


def test_which_jobs_are_meant_is_a_word_or_ids() -> None:
    assert meant([]) is None
    assert (meant(["failed"]), meant(["changed"])) == ("failed", "changed")
    assert meant(["b, a", "c", "a"]) == ("a", "b", "c")
    for wrong in (["failed", "a"], ["changed,failed"], [""], ["a,,b"]):
        with pytest.raises(click.UsageError):
            meant(wrong)
