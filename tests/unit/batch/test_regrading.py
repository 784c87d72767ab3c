"""Grading again makes a generation beside the batch, of the same jobs, and is carried to its end."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import pytest

from tests.unit.batch.graded import FIRST, FOLDER, OLD_CASES, SECOND, Course
from worker.batch import BatchError, Entry, Folder, register
from worker.cancelling import mark, marker
from worker.faults import InfrastructureFault
from worker.generations import change_generations, read_generations
from worker.job import parse_job
from worker.records import Records
from worker.regrading import Regrade, Request
from worker.shared_cases import SharedCases

if TYPE_CHECKING:
    from worker.generations import Only

NEW = SharedCases(SECOND)
DIGEST = hashlib.sha256(SECOND).hexdigest()


async def test_a_generation_is_the_batch_again_under_a_name_of_its_own() -> None:
    course = Course()
    await course.graded(a="accepted", b="wrong_answer")
    (begun,) = await course.regrade()
    assert (begun.number, begun.batch, begun.jobs, begun.cases, begun.only) == (2, "hw1.g2", 2, None, None)
    assert await course.ids("hw1.g2") == ["a", "b"]
    sent = course.sent()
    assert list(sent) == ["hw1.g2/a", "hw1.g2/b"]
    assert sent["hw1.g2/a"]["batch"] == "hw1.g2"
    assert sent["hw1.g2/a"]["cases"]["blob"] == OLD_CASES
    assert sent["hw1.g2/a"]["code"] == {"inline": "a"}
    (recorded,) = (await read_generations(course.blobs, FOLDER)).generations
    assert recorded.model_dump_json() == begun.model_dump_json()


async def test_names_and_other_metadata_come_along() -> None:
    course = Course()
    await course.graded(a="accepted")
    await course.regrade()
    manifest = course.blobs.text("results/hw1.g2/_batch/manifest.jsonl")
    assert json.loads(manifest)["metadata"] == {"student": "student a"}


async def test_new_cases_are_for_jobs_that_have_none_of_their_own() -> None:
    course = Course()
    await course.graded(a="accepted")
    await course.submit("none")
    await course.submit("own", cases=[{"name": "n"}])
    await course.submit("elsewhere", cases={"blob": "inputs/mine.json"})
    (begun,) = await course.regrade(Request(cases=NEW))
    blob = NEW.blob("hw1.g2")
    pinned = {"blob": blob, "etag": course.blobs.blobs[blob].etag}
    cases = {job["id"]: job["cases"] for job in course.sent().values() if job["batch"] == "hw1.g2"}
    assert cases == {
        "a": pinned, "none": pinned, "own": [{"name": "n"}], "elsewhere": {"blob": "inputs/mine.json"},
    }  # fmt: skip
    assert (begun.cases, course.blobs.text(blob)) == (DIGEST, SECOND.decode())
    assert parse_job(course.queue.messages["hw1.g2/a"]).id == "a"


async def test_when_no_job_would_take_the_new_cases_that_is_an_error() -> None:
    course = Course()
    await course.submit("own", cases=[{"name": "n"}])
    with pytest.raises(BatchError, match="cases of its own"):
        await course.regrade(Request(cases=NEW))
    assert "results/hw1/_batch/generations.json" not in course.blobs.blobs


async def test_only_what_failed_is_run_again() -> None:
    course = Course()
    verdicts = {"a": "accepted", "b": "wrong_answer", "c": "infrastructure_failed", "d": "partial:1"}
    await course.graded(**verdicts)
    await course.submit("running")
    await course.regrade(Request(only="failed"))
    assert await course.ids("hw1.g2") == ["b", "c", "d"]


async def test_what_failed_is_asked_of_the_generation_that_counts() -> None:
    course = Course()
    await course.graded(a="wrong_answer", b="wrong_answer")
    (begun,) = await course.regrade(Request(only=("a",)))
    await course.grade("hw1.g2", a="accepted")
    await change_generations(course.blobs, FOLDER, lambda record: record.promoted(2, begun.created_at))
    (begun,) = await course.regrade(Request(only="failed"))
    assert (begun.number, begun.counted, await course.ids("hw1.g3")) == (3, (2, 1), ["b"])


async def test_jobs_keep_the_cases_of_the_generation_that_counts() -> None:
    course = Course()
    await course.graded(a="wrong_answer", b="wrong_answer")
    (begun,) = await course.regrade(Request(NEW, only=("a",)))
    await course.grade("hw1.g2", a="accepted")
    await change_generations(course.blobs, FOLDER, lambda record: record.promoted(2, begun.created_at))
    await course.regrade()
    sent = course.sent()
    assert sent["hw1.g3/a"]["cases"]["blob"] == NEW.blob("hw1.g2")
    assert sent["hw1.g3/b"]["cases"]["blob"] == OLD_CASES


async def test_only_jobs_whose_cases_change_are_run_again() -> None:
    course = Course()
    await course.graded(a="wrong_answer", b="wrong_answer")
    await course.submit("own", cases=[{"name": "n"}])
    (begun,) = await course.regrade(Request(NEW, only=("a",)))
    await course.grade("hw1.g2", a="accepted")
    await change_generations(course.blobs, FOLDER, lambda record: record.promoted(2, begun.created_at))
    await course.regrade(Request(NEW, only="changed"))
    assert await course.ids("hw1.g3") == ["b"]


async def test_cases_that_are_only_written_in_another_way_do_not_change() -> None:
    course = Course()
    await course.graded(a="wrong_answer")
    same = SharedCases(json.dumps(json.loads(FIRST), indent=4).encode())
    assert await course.regrade(Request(same, only="changed")) == []
    assert "results/hw1/_batch/generations.json" not in course.blobs.blobs


async def test_nothing_is_begun_when_nothing_failed() -> None:
    course = Course()
    await course.graded(a="accepted")
    assert await course.regrade(Request(only="failed")) == []
    assert course.sent() == {}


@pytest.mark.parametrize(
    "request_", [Request(NEW), Request(only="failed"), Request(NEW, only=("a", "c")), Request(runs=3)]
)
async def test_after_a_crash_at_any_call_the_same_generation_is_carried_on(request_: Request) -> None:
    whole = Course()
    await whole.graded(a="accepted", b="wrong_answer", c="wrong_answer")
    before = whole.calls.made
    expected = await whole.regrade(request_)
    for last in range(before, whole.calls.made):
        course = Course()
        await course.graded(a="accepted", b="wrong_answer", c="wrong_answer")
        course.calls.last = last
        with pytest.raises(InfrastructureFault):
            await course.regrade(request_)
        course.calls.last = None
        series = await course.regrade(request_)
        assert [each.number for each in series] == [each.number for each in expected]
        assert course.sent() == whole.sent()
        assert len((await read_generations(course.blobs, FOLDER)).generations) == request_.runs
        again = course.queue.sent
        await course.regrade(request_)
        assert course.queue.sent == again, "what is recorded as sent is not sent again"


async def test_what_failed_is_fixed_when_the_generation_is_begun() -> None:
    course = Course()
    await course.graded(a="infrastructure_failed", b="wrong_answer")
    course.calls.last = course.calls.made + 2  # the record and the manifest
    with pytest.raises(InfrastructureFault):
        await course.regrade(Request(only="failed"))
    course.calls.last = None
    await course.grade(a="accepted")
    await course.regrade(Request(only="failed"))
    assert list(course.sent()) == ["hw1.g2/a", "hw1.g2/b"]


async def test_a_record_without_a_manifest_is_corrected() -> None:
    course = Course()
    await course.graded(a="infrastructure_failed", b="wrong_answer")
    course.calls.last = course.calls.made + 1
    with pytest.raises(InfrastructureFault):
        await course.regrade(Request(only="failed"))
    course.calls.last = None
    await course.grade(a="accepted")
    (begun,) = await course.regrade(Request(only="failed"))
    assert (begun.number, begun.jobs, await course.ids("hw1.g2")) == (2, 1, ["b"])


async def test_a_complete_generation_is_followed_by_another() -> None:
    course = Course()
    await course.graded(a="wrong_answer")
    await course.regrade()
    await course.grade("hw1.g2", a="wrong_answer")
    (third,) = await course.regrade()
    (standing,) = await course.regrade(anew=False)
    assert (third.number, standing.number) == (3, 3)


async def test_a_generation_that_was_cancelled_is_not_carried_on() -> None:
    course = Course()
    await course.graded(a="wrong_answer")
    await course.regrade()
    await mark(course.blobs, marker("results", "hw1.g2"))
    (begun,) = await course.regrade()
    assert begun.number == 3


async def test_another_request_is_another_generation() -> None:
    course = Course()
    await course.graded(a="wrong_answer")
    numbers = [
        (await course.regrade(request))[0].number
        for request in (Request(), Request(NEW), Request(only=("a",)), Request())
    ]
    assert numbers == [2, 3, 4, 2]


async def test_runs_are_a_series_of_generations_of_the_same_jobs() -> None:
    course = Course()
    await course.graded(a="accepted", b="wrong_answer")
    series = await course.regrade(Request(only="failed", runs=3))
    assert [(each.number, each.series, each.runs) for each in series] == [(2, 2, 3), (3, 2, 3), (4, 2, 3)]
    assert list(course.sent()) == ["hw1.g2/b", "hw1.g3/b", "hw1.g4/b"]


async def test_a_batch_of_somebody_else_under_a_generations_name_is_passed_over() -> None:
    course = Course()
    await course.graded(a="accepted")
    await course.submit("x", batch="hw1.g2")
    (begun,) = await course.regrade()
    assert (begun.number, await course.ids("hw1.g2")) == (3, ["x"])


async def test_a_large_batch_is_sent_in_chunks() -> None:
    course = Course()
    await course.submit(*(f"s{number:03}" for number in range(150)))
    before = sum(course.blobs.appends.values())
    await course.regrade()
    assert len(await course.ids("hw1.g2")) == 150
    assert sum(course.blobs.appends.values()) - before == 2 * 3
    assert len(await Records(course.blobs, Folder("results", "hw1.g2")).sent()) == 150


async def test_what_was_rejected_before_it_was_sent_stays_as_it_is() -> None:
    course = Course()
    await course.graded(a="wrong_answer")
    await register(course.blobs, FOLDER, [Entry("empty", "0")])
    await course.grade(empty="rejected")
    await course.regrade()
    assert await course.ids("hw1.g2") == ["a"]
    assert await course.regrade(Request(only=("empty",))) == []


@pytest.mark.parametrize(
    ("batch", "only", "says"),
    [
        ("absent", None, "no batch 'absent'"),
        ("hw1", ("x", "y"), r"no job x, y"),
        ("hw1.g2", None, "is generation 2 of 'hw1'"),
    ],
)
async def test_what_is_not_there_is_an_error(batch: str, only: Only, says: str) -> None:
    course = Course()
    await course.graded(a="accepted")
    await course.regrade()
    before = dict(course.blobs.blobs)
    with pytest.raises(BatchError, match=says):
        await Regrade(course.blobs, course.queue, Folder("results", batch), Request(only=only)).run()
    assert course.blobs.blobs == before


async def test_a_batch_that_was_cancelled_is_an_error() -> None:
    course = Course()
    await course.graded(a="accepted")
    await mark(course.blobs, marker("results", "hw1"))
    with pytest.raises(BatchError, match="was cancelled"):
        await course.regrade()


async def test_a_batch_whose_submission_was_cut_off_is_an_error_that_says_what_to_do() -> None:
    course = Course()
    await course.graded(a="accepted")
    course.calls.last = course.calls.made + 1
    with pytest.raises(InfrastructureFault):
        await course.submit("b")
    course.calls.last = None
    with pytest.raises(
        BatchError, match=r"1 jobs of 'hw1' were never recorded.*: b; run that jsworker submit"
    ):
        await course.regrade()


@pytest.mark.parametrize(
    ("batch", "job_id", "says"),
    [
        ("b" * 126, "a", "whose name is too long: 129"),
        ("b" * 100, "j" * 26, "more than 127 characters together"),
    ],
)
async def test_names_that_leave_no_room_are_an_error_and_nothing_is_begun(
    batch: str, job_id: str, says: str
) -> None:
    course = Course()
    await course.submit(job_id, batch=batch)
    before = dict(course.blobs.blobs)
    with pytest.raises(BatchError, match=says):
        await Regrade(course.blobs, course.queue, Folder("results", batch), Request()).run()
    assert course.blobs.blobs == before
