"""Every job of a batch is accounted for, and what is nowhere is sent again."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from tests.unit.batch.fakes import MemoryBlobs, MemoryBrowser, MemoryQueue, message, result
from worker.batch import BatchError, Entry, Folder, digest, register
from worker.completion import read_completion
from worker.fitting import encoded
from worker.job import parse_job
from worker.messages import Outgoing
from worker.reconciling import Comparison, compare, repair
from worker.records import Records, recorded_ids

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable

    from worker.result import Result
    from worker.seen import Seen

FOLDER = Folder("results", "hw1")
SOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def document(job_id: str) -> dict[str, object]:
    return {"version": 1, "id": job_id, "batch": "hw1", "code": {"inline": f"/* {job_id} ü\u2028 */"}}


async def batch(jobs: Iterable[str], sent: Iterable[str] = ()) -> MemoryBlobs:
    """A batch of which these jobs were sent."""
    blobs = MemoryBlobs()
    await register(blobs, FOLDER, [Entry(job_id, digest(document(job_id))) for job_id in jobs])
    messages = {job_id: Outgoing(encoded(document(job_id)), f"hw1/{job_id}") for job_id in sent}
    await Records(blobs, FOLDER).send(MemoryQueue(), messages)
    return blobs


async def commit(blobs: MemoryBlobs, *results: Result, told: bool = True) -> None:
    for each in results:
        await blobs.create(FOLDER.result(each.id), each.model_dump_json().encode())
        if told:
            await blobs.append("results/hw1/_batch/progress-00000.jsonl", each.progress_line())


async def compared(blobs: MemoryBlobs, browser: MemoryBrowser) -> Comparison:
    return await compare(blobs, browser, FOLDER, browser.pause)


def where(found: Comparison) -> dict[str, str]:
    return {job.id: job.where for job in found.missing}


async def test_each_job_without_a_result_is_found_where_it_is() -> None:
    blobs = await batch(
        ["done", "waits", "later", "dead", "lost", "new"], ["done", "waits", "later", "dead", "lost"]
    )
    await commit(blobs, result("done"))
    browser = MemoryBrowser(
        message("waits"),
        message("later", state="scheduled", scheduled_at=SOON),
        message("lost", batch="hw2"),
        dead=[message("dead", reason="MaxDeliveryCountExceeded")],
    )
    found = await compared(blobs, browser)
    assert (found.jobs, found.results, found.strangers, found.untold) == (6, 1, (), ())
    assert where(found) == {
        "waits": "waiting",
        "later": "scheduled",
        "dead": "dead_lettered",
        "lost": "lost",
        "new": "never_sent",
    }
    assert [job.message.scheduled_at for job in found.missing if job.message] == [None, SOON, None]
    assert all(job.message.body is None for job in found.missing if job.message), "bodies are not kept"


async def test_a_batch_that_is_accounted_for_is_looked_at_once() -> None:
    blobs = await batch(["a", "b"], ["a", "b"])
    await commit(blobs, result("a"))
    browser = MemoryBrowser(message("b"))
    await compared(blobs, browser)
    assert browser.looks == [False, True]


async def test_the_queue_is_looked_at_before_the_results() -> None:
    """A message that went before it could be seen has left a result by then."""
    blobs = await batch(["a"], ["a"])

    class Moving(MemoryBrowser):
        async def messages(self, *, dead: bool = False) -> AsyncGenerator[Seen]:
            if not self.looks:
                await commit(blobs, result("a"))
            async for each in super().messages(dead=dead):
                yield each

    browser = Moving()
    assert where(await compared(blobs, browser)) == {}
    assert browser.looks == [False, True]


async def test_what_was_on_its_way_from_queue_to_result_is_not_lost() -> None:
    blobs = await batch(["a"], ["a"])
    browser = MemoryBrowser()

    async def committed(_seconds: float) -> None:
        await commit(blobs, result("a"))

    found = await compare(blobs, browser, FOLDER, committed)
    assert (where(found), found.results) == ({}, 1)


async def test_what_moves_from_the_dead_letters_to_the_queue_is_not_lost() -> None:
    blobs = await batch(["a"], ["a"])
    browser = MemoryBrowser()
    browser.then = lambda browser: browser.queue.append(message("a"))
    assert where(await compared(blobs, browser)) == {"a": "waiting"}


async def test_what_was_seen_at_the_first_look_alone_is_not_lost() -> None:
    blobs = await batch(["a", "b"], ["a", "b"])
    browser = MemoryBrowser(message("a"))
    browser.then = lambda browser: browser.queue.clear()
    assert where(await compared(blobs, browser)) == {"a": "waiting", "b": "lost"}


async def test_a_copy_in_the_queue_counts_more_than_a_dead_letter() -> None:
    blobs = await batch(["a"], ["a"])
    browser = MemoryBrowser(message("a", number=2), dead=[message("a")])
    assert where(await compared(blobs, browser)) == {"a": "waiting"}


async def test_messages_that_are_no_jobs_are_passed_over() -> None:
    blobs = await batch(["a"], ["a"])
    strange = [
        replace(message("a"), body=body)
        for body in (None, b"", b"[", b"\xff", b'{"id": "../a"}', b"[" * 9999)
    ]
    assert where(await compared(blobs, MemoryBrowser(*strange))) == {"a": "lost"}


async def test_results_without_an_entry_and_without_a_line_are_named() -> None:
    blobs = await batch(["a", "b"], ["a", "b"])
    await commit(blobs, result("a"), result("stranger"))
    await commit(blobs, result("b"), told=False)
    await blobs.create("results/hw1/a/attempts/1/stdout", b"no result")
    found = await compared(blobs, MemoryBrowser())
    assert (found.strangers, found.untold) == (("stranger",), ("b",))


async def test_a_line_that_comes_a_little_later_is_not_missing() -> None:
    blobs = await batch(["a"], ["a"])
    await commit(blobs, result("a"), told=False)

    async def told(_seconds: float) -> None:
        await blobs.append("results/hw1/_batch/progress-00000.jsonl", result("a").progress_line())

    assert (await compare(blobs, MemoryBrowser(), FOLDER, told)).untold == ()


async def test_a_batch_that_is_not_there_is_an_error() -> None:
    with pytest.raises(BatchError, match="no batch 'hw1'"):
        await compared(MemoryBlobs(), MemoryBrowser())


async def test_what_is_lost_is_sent_again_as_it_was_under_an_id_of_its_own() -> None:
    blobs, queue = await batch(["a", "b", "c"], ["a", "b", "c"]), MemoryQueue()
    await commit(blobs, result("a"))
    found = await compared(blobs, MemoryBrowser(message("b")))
    done = await repair(blobs, queue, FOLDER, found)
    assert (done.sent, done.unrecorded) == (("c",), ())
    assert queue.messages == {"hw1/c.s1": encoded(document("c"))}
    assert parse_job(queue.messages["hw1/c.s1"]).id == "c"


async def test_each_repair_has_ids_that_no_repair_before_it_had() -> None:
    blobs, queue = await batch(["a"], ["a"]), MemoryQueue()
    for _ in range(3):
        await repair(blobs, queue, FOLDER, await compared(blobs, MemoryBrowser()))
    assert list(queue.messages) == ["hw1/a.s1", "hw1/a.s2", "hw1/a.s3"]


async def test_a_job_whose_own_id_looks_like_a_repair_is_told_from_one() -> None:
    blobs, queue = await batch(["a", "a.s1"], ["a", "a.s1"]), MemoryQueue()
    await repair(blobs, queue, FOLDER, await compared(blobs, MemoryBrowser(message("a"))))
    assert list(queue.messages) == ["hw1/a.s1.s1"]


async def test_a_job_that_was_recorded_and_never_sent_is_sent() -> None:
    blobs, queue = await batch(["a"], ["a"]), MemoryQueue()
    del blobs.blobs["results/hw1/_batch/sent-00001.jsonl"]
    found = await compared(blobs, MemoryBrowser())
    assert where(found) == {"a": "never_sent"}
    assert (await repair(blobs, queue, FOLDER, found)).sent == ("a",)
    assert where(await compared(blobs, MemoryBrowser())) == {"a": "lost"}, "it is recorded as sent now"


async def test_what_was_never_recorded_is_named_and_the_rest_repaired() -> None:
    blobs, queue = await batch(["a", "b"], ["a"]), MemoryQueue()
    done = await repair(blobs, queue, FOLDER, await compared(blobs, MemoryBrowser()))
    assert (done.sent, done.unrecorded) == (("a",), ("b",))


async def test_many_are_repaired_in_chunks() -> None:
    ids = [f"s{number:03}" for number in range(150)]
    blobs, queue = await batch(ids, ids), MemoryQueue()
    before = sum(blobs.appends.values())
    done = await repair(blobs, queue, FOLDER, await compared(blobs, MemoryBrowser()))
    assert sorted(done.sent) == ids
    assert len(queue.messages) == 150
    assert sum(blobs.appends.values()) - before == 2 * 3


async def test_missing_lines_are_written_and_what_is_no_result_is_left() -> None:
    blobs = await batch(["a", "b"], ["a", "b"])
    await commit(blobs, result("a", status="failed"), told=False)
    await blobs.create(FOLDER.result("b"), json.dumps({"by": "somebody else"}).encode())
    found = await compared(blobs, MemoryBrowser())
    assert found.untold == ("a", "b")
    assert (await repair(blobs, MemoryQueue(), FOLDER, found)).told == 1
    assert await recorded_ids(blobs, FOLDER, FOLDER.progress_prefix) == {"a"}


async def test_dead_letters_and_what_waits_are_left_alone() -> None:
    blobs, queue = await batch(["a", "b"], ["a", "b"]), MemoryQueue()
    found = await compared(blobs, MemoryBrowser(message("a"), dead=[message("b")]))
    assert await repair(blobs, queue, FOLDER, found)
    assert queue.messages == {}


async def test_that_a_batch_is_complete_is_put_on_record_by_a_repair_alone() -> None:
    blobs = await batch(["a", "b"], ["a", "b"])
    await commit(blobs, result("a"))
    await commit(blobs, result("b"), told=False)
    found = await compared(blobs, MemoryBrowser())
    assert await read_completion(blobs, FOLDER) is None
    await repair(blobs, MemoryQueue(), FOLDER, found)
    assert await read_completion(blobs, FOLDER)


async def test_a_batch_that_lacks_a_result_is_not_called_complete() -> None:
    blobs = await batch(["a", "b"], ["a", "b"])
    await commit(blobs, result("a"))
    await repair(blobs, MemoryQueue(), FOLDER, await compared(blobs, MemoryBrowser(message("b"))))
    assert await read_completion(blobs, FOLDER) is None
