"""What the platform failed runs again, and nothing else; sent twice, it has one result all the same."""

from __future__ import annotations

import hashlib
import json

import pytest

from tests.unit.batch.fakes import MemoryBrowser, message
from tests.unit.batch.graded import FOLDER, Course
from worker.batch import BatchError
from worker.cancelling import mark, marker
from worker.cli.retry import told
from worker.faults import InfrastructureFault
from worker.generations import change_generations
from worker.regrading import Request
from worker.retrying import Plan, Sent, plan, refuse_cancelled, send_again
from worker.views import counting

FAILED = "infrastructure_failed"


async def planned(course: Course, browser: MemoryBrowser) -> Plan:
    return await plan(course.blobs, browser, await counting(course.blobs, FOLDER))


async def sent_again(course: Course, *ids: str) -> Sent:
    return await send_again(course.blobs, course.queue, await counting(course.blobs, FOLDER), ids)


async def test_only_what_the_platform_failed_runs_again() -> None:
    course = Course()
    verdicts = {"a": "accepted", "b": "rejected", "c": "cancelled", "d": "timed_out", "e": "wrong_answer"}
    await course.graded(**verdicts, f=FAILED, g="internal_error", h=FAILED)
    await course.submit("missing")
    made = await planned(course, MemoryBrowser(dead=[message("h", number=7), message("b", number=8)]))
    assert made == Plan(letters={("", 7): "h"}, again=["f", "g"], waiting=[], missing=["missing"])


async def test_what_is_in_the_queue_already_is_left_alone() -> None:
    course = Course()
    await course.graded(a=FAILED, b=FAILED)
    browser = MemoryBrowser(message("a"), message("b", batch="hw2"), dead=[message("a", number=2)])
    assert await planned(course, browser) == Plan(again=["b"], waiting=["a"])


async def test_a_job_without_a_dead_letter_is_sent_as_it_was_and_may_replace_its_failure() -> None:
    course = Course()
    await course.graded(a=FAILED)
    assert await sent_again(course, "a") == Sent(("a",), ())
    ((name, body),) = course.queue.messages.items()
    assert json.loads(body)["code"] == {"inline": "a"}
    assert name.startswith("hw1/a.t-")
    assert course.blobs.appends["results/hw1/_batch/jobs-00001.jsonl"] == 1, "it is recorded already"


async def test_its_message_says_which_result_it_may_replace() -> None:
    course = Course()
    await course.graded(a=FAILED)
    await sent_again(course, "a")
    ((name, properties),) = course.queue.properties.items()
    history = json.loads(properties["jsworker-history"])
    assert history["replaces"] == course.blobs.blobs[FOLDER.result("a")].etag
    assert (history["attempts"], history["copies"]) == (0, 1)
    assert history["first_enqueued_ms"] > 0, "else a worker takes the whole history for made up"
    mark = hashlib.sha256(history["replaces"].encode()).hexdigest()[:8]
    assert name == f"hw1/a.t-{mark}"


async def test_the_same_failure_is_sent_under_the_same_id_and_another_under_another() -> None:
    course = Course()
    await course.graded(a=FAILED)
    await sent_again(course, "a")
    await sent_again(course, "a")
    assert (len(course.queue.messages), course.queue.sent) == (1, 2)
    await course.grade(a=FAILED)
    await sent_again(course, "a")
    assert len(course.queue.messages) == 2


async def test_what_has_another_result_by_then_is_not_sent() -> None:
    course = Course()
    await course.graded(a=FAILED)
    made = await planned(course, MemoryBrowser())
    await course.grade(a="accepted")
    await sent_again(course, *made.again)
    assert course.queue.sent == 0


async def test_each_job_runs_again_in_the_generation_that_counts() -> None:
    course = Course()
    await course.graded(a="wrong_answer", b=FAILED)
    (begun,) = await course.regrade(Request(only=("a",)))
    await course.grade("hw1.g2", a=FAILED)
    await change_generations(course.blobs, FOLDER, lambda record: record.promoted(2, begun.created_at))
    course.queue.messages.clear()
    made = await planned(course, MemoryBrowser())
    await sent_again(course, *made.again)
    assert sorted(name.partition(".t-")[0] for name in course.queue.messages) == ["hw1.g2/a", "hw1/b"]


async def test_after_a_crash_all_are_sent_and_none_is_lost() -> None:
    ids = [f"s{number:03}" for number in range(150)]
    course = Course()
    await course.graded(**dict.fromkeys(ids, FAILED))
    course.calls.last = course.calls.made + 1
    with pytest.raises(InfrastructureFault):
        await sent_again(course, *ids)
    assert len(course.queue.messages) == 64
    course.calls.last = None
    assert set((await sent_again(course, *ids)).ids) == set(ids)
    assert len(course.queue.messages) == 150


async def test_a_job_that_was_never_recorded_is_named() -> None:
    course = Course()
    await course.graded(a=FAILED)
    del course.blobs.blobs["results/hw1/_batch/jobs-00001.jsonl"]
    assert await sent_again(course, "a") == Sent((), ("a",))


async def test_a_batch_that_was_cancelled_is_an_error() -> None:
    course = Course()
    await course.graded(a=FAILED)
    await mark(course.blobs, marker("results", "hw1"))
    with pytest.raises(BatchError, match="was cancelled"):
        await refuse_cancelled(course.blobs, await counting(course.blobs, FOLDER))


def test_what_was_done_is_told() -> None:
    made = Plan(letters={("", 1): "a"}, again=["b", "c"], waiting=["d"], missing=["e"])
    assert next(told("hw1", made, None, 0)) == "hw1: 3 jobs would be run again"
    lines = list(told("hw1", made, Sent(("b",), ("c",)), 1))
    assert lines[0] == "hw1: 1 of 3 jobs are run again"
    assert [line.split()[0] for line in lines[1:]] == ["1", "not", "1", "1", "next:"]
    assert "there is nothing to run again" in next(told("hw1", Plan(), Sent((), ()), 0))
