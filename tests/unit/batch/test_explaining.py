"""A job is looked for everywhere, and again if it is nowhere."""

from __future__ import annotations

import pytest

from tests.unit.batch.fakes import MemoryBlobs, MemoryBrowser, message, result
from worker.batch import BatchError, Entry, Folder, register
from worker.cancelling import mark, marker
from worker.explaining import Story, story

FOLDER = Folder("results", "hw1")


async def told(blobs: MemoryBlobs, browser: MemoryBrowser, job_id: str = "a") -> Story:
    return await story(blobs, browser, FOLDER, job_id, browser.pause)


async def submitted(*ids: str) -> MemoryBlobs:
    blobs = MemoryBlobs()
    await register(blobs, FOLDER, [Entry(job_id, "0") for job_id in ids])
    for job_id in ids:
        await blobs.append("results/hw1/_batch/sent-00001.jsonl", b'{"id": "%s"}\n' % job_id.encode())
    return blobs


async def test_a_job_in_the_queue_is_found_behind_those_that_are_due_before_it() -> None:
    others = [message("b"), message("a", batch="hw2"), message("c", state="scheduled"), message("d")]
    found = await told(await submitted("a"), MemoryBrowser(*others, message("a", number=9), message("e")))
    assert found.message == message("a", number=9)
    assert found.ahead == 3
    assert (found.sent, found.cancelled, found.dead, found.result) == (True, False, (), None)


async def test_of_a_message_and_a_later_copy_the_message_is_told() -> None:
    browser = MemoryBrowser(message("a", state="scheduled"), message("a", number=2))
    assert (await told(await submitted("a"), browser)).message == message("a", number=2)


async def test_a_job_without_a_manifest_is_found_by_its_message() -> None:
    found = await told(MemoryBlobs(), MemoryBrowser(dead=[message("a")]))
    assert (found.has_manifest, found.entry, len(found.dead)) == (False, None, 1)


async def test_an_ended_job_is_told_with_what_its_other_attempts_left() -> None:
    blobs = await submitted("a")
    ended = result("a", stdout={"blob": "results/hw1/a/attempts/2-0-x/stdout"})
    await blobs.create(FOLDER.result("a"), ended.model_dump_json().encode())
    for attempt in ("1-0-x", "2-0-x"):
        await blobs.create(f"results/hw1/a/attempts/{attempt}/stdout", b"...")
    found = await told(blobs, MemoryBrowser())
    assert found.result
    assert found.result["status"] == "succeeded"
    assert found.leftovers == ("hw1/a/attempts/1-0-x/stdout",)


async def test_a_job_is_cancelled_by_its_own_marker_or_its_batchs() -> None:
    blobs = await submitted("a", "b")
    await mark(blobs, marker("results", "hw1", "a"))
    browser = MemoryBrowser(message("a"), message("b"))
    assert (await told(blobs, browser)).cancelled
    assert not (await told(blobs, browser, "b")).cancelled
    await mark(blobs, marker("results", "hw1"))
    assert (await told(blobs, browser, "b")).cancelled


async def test_a_job_that_is_nowhere_is_looked_for_again() -> None:
    browser = MemoryBrowser()
    browser.then = lambda browser: browser.queue.append(message("a"))
    assert (await told(await submitted("a"), browser)).message
    assert (await told(await submitted("b"), MemoryBrowser(), "b")).is_nowhere


async def test_a_job_without_a_trace_is_an_error_that_names_it() -> None:
    with pytest.raises(BatchError, match="no trace of a job 'x' in the batch 'hw1'"):
        await told(await submitted("a"), MemoryBrowser(), "x")
