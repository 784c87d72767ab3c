"""The batches of a container, and how far each is."""

from __future__ import annotations

from tests.unit.batch.fakes import result
from tests.unit.batch.graded import FOLDER, Course
from worker.cancelling import mark, marker
from worker.cli.batches import document, table
from worker.completion import complete
from worker.generations import change_generations
from worker.listing import batches


async def test_each_batch_is_told_with_its_state() -> None:
    course = Course()
    await course.graded(a="accepted", b="wrong_answer")
    await course.submit("x", "y", batch="running")
    await course.grade("running", x="accepted")
    await course.submit("x", batch="stopped")
    await mark(course.blobs, marker("results", "stopped"))
    await course.blobs.create("results/elsewhere/a/result.json", result("a").model_dump_json().encode())
    found = {each.name: (each.jobs, each.done, each.state) for each in await batches(course.blobs, "results")}
    assert found == {"hw1": (2, 2, "complete"), "running": (2, 1, "running"), "stopped": (1, 0, "cancelled")}


async def test_generations_stand_under_their_batch_which_says_what_counts() -> None:
    course = Course()
    await course.submit("x", batch="hw0")
    await course.graded(a="accepted")
    await course.submit("x", batch="hw1.g")
    (begun,) = await course.regrade()
    await change_generations(course.blobs, FOLDER, lambda record: record.promoted(2, begun.created_at))
    found = await batches(course.blobs, "results")
    assert [each.name for each in found] == ["hw0", "hw1", "hw1.g2", "hw1.g"]
    assert [each.generation_of for each in found] == [None, None, "hw1", None]
    lines = list(table(found))
    assert lines[2].split()[:3] == ["hw1", "1", "1"]
    assert lines[2].endswith("complete   generation 2 of 2")
    assert lines[3].startswith("  hw1.g2 ")
    assert document(found[1])["counts"] == (2, 1)


async def test_of_a_batch_that_is_on_record_as_complete_no_progress_is_read() -> None:
    course = Course()
    await course.graded(a="accepted")
    assert await complete(course.blobs, FOLDER)
    course.blobs.reads.clear()
    (each,) = await batches(course.blobs, "results")
    assert (each.done, each.state) == (1, "complete")
    assert not [blob for blob in course.blobs.reads if "progress" in blob]


async def test_jobs_that_were_added_after_the_end_are_seen_to_run() -> None:
    course = Course()
    await course.graded(a="accepted")
    await complete(course.blobs, FOLDER)
    await course.submit("b")
    (each,) = await batches(course.blobs, "results")
    assert (each.jobs, each.done, each.state) == (2, 1, "running")


async def test_without_batches_there_are_headings_only() -> None:
    assert len(list(table(await batches(Course().blobs, "results")))) == 1
