"""When all jobs of a batch have a result, one record says so, whoever wrote the last result and died."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.core.calls import Calls
from tests.unit.core.fake_blobs import Account, FakeBlobs
from tests.unit.core.fake_dead_letters import ended
from worker.batch import BatchError, Entry, Folder, register
from worker.clock import now
from worker.committing import Committer
from worker.completion import (
    FORGETTING_SECONDS,
    MOST_BATCHES,
    Completions,
    complete,
    is_complete,
    put_on_record,
    read_completion,
)
from worker.faults import ConfigurationFault, InfrastructureFault
from worker.outbox import Outbox
from worker.progress import Progress
from worker.result import Producer, Result

if TYPE_CHECKING:
    from structlog.typing import EventDict

pytestmark = pytest.mark.usefixtures("alone")
FOLDER = Folder("results", "hw1")
RECORD = "results/hw1/_batch/complete.json"
GONE = InfrastructureFault("gone")
REFUSED = ConfigurationFault("refused", "give it the role")


class Fleet:
    """An account with a batch, and workers that commit its results."""

    def __init__(self) -> None:
        self.account = Account()
        self.blobs = FakeBlobs(self.account, Calls())

    async def submit(self, *ids: str, batch: str = "hw1") -> None:
        await register(self.blobs, Folder("results", batch), [Entry(job_id, "0") for job_id in ids])

    def worker(self, calls: Calls | None = None) -> Worker:
        return Worker(FakeBlobs(self.account, calls or Calls()))

    @property
    def record(self) -> dict[str, Any] | None:
        stored = self.account.blobs.get(RECORD)
        return json.loads(stored.data) if stored else None


class Worker:
    """What of a worker commits results and looks for complete batches."""

    def __init__(self, blobs: FakeBlobs) -> None:
        self.completions = Completions(blobs, "results", Outbox(blobs, "results"))
        progress = Progress(blobs, "results")
        self.committer = Committer(blobs, "results", progress, 5, self.completions.committed)

    async def commit(self, *ids: str, batch: str = "hw1", **fields: Any) -> None:  # noqa: ANN401 - Result's own
        for job_id in ids:
            await self.committer.commit(result(job_id, batch, **fields), f"attempt-{job_id}")

    async def work(self, *ids: str, pause: float = 0.3) -> None:
        """Commit these results one after the other, and go on looking for as long as it runs."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.completions.run())
            for job_id in ids:
                await asyncio.sleep(pause)
                await self.commit(job_id)

    async def commit_and_die(self, job_id: str, after: float) -> None:
        """Commit and tell a result after a time, and do nothing any more."""
        await asyncio.sleep(after)
        await self.commit(job_id)
        await asyncio.Event().wait()


def result(job_id: str, batch: str = "hw1", **fields: Any) -> Result:  # noqa: ANN401 - Result's own
    moment, producer = datetime.now(UTC), Producer(version="1", instance="i")
    whole: dict[str, Any] = {"status": "succeeded", "worker": producer} | fields
    return Result(id=job_id, batch=batch, started_at=moment, finished_at=moment, **whole)


async def for_a_while(*running: Any, seconds: float) -> None:  # noqa: ANN401 - coroutines
    tasks = [asyncio.create_task(each) for each in running]
    await asyncio.sleep(seconds)
    for task in tasks:
        assert not task.done(), task
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_the_record_comes_soon_after_the_last_result_and_counts_them() -> None:
    fleet = Fleet()
    await fleet.submit("a", "b", "c")
    worker = fleet.worker()
    await worker.commit("a", verdict="accepted")
    await worker.commit("b", status="infrastructure_failed")
    await for_a_while(worker.work("c"), seconds=3)
    record = fleet.record
    assert record
    assert record["statuses"] == {"succeeded": 2, "infrastructure_failed": 1}
    assert (record["jobs"], record["verdicts"], record["not_graded"]) == (3, {"accepted": 1}, 1)
    assert record["completed_at"].endswith("Z")


async def test_of_several_workers_one_writes_it(quiet: list[EventDict]) -> None:
    fleet = Fleet()
    ids = [f"s{number:02}" for number in range(40)]
    await fleet.submit(*ids)
    workers = [fleet.worker() for _ in range(5)]
    await for_a_while(*(worker.work(*ids[n::5]) for n, worker in enumerate(workers)), seconds=20)
    assert fleet.record
    assert [event["event"] for event in quiet].count("batch_completed") == 1
    assert fleet.record["jobs"] == 40


async def test_while_jobs_are_missing_there_is_none() -> None:
    fleet = Fleet()
    await fleet.submit("a", "b")
    await for_a_while(fleet.worker().work("a"), seconds=600)
    assert fleet.record is None


async def test_while_jobs_end_one_after_another_nobody_looks() -> None:
    fleet = Fleet()
    ids = [f"s{number:02}" for number in range(40)]
    await fleet.submit(*ids)
    calls = Calls()
    working = asyncio.create_task(fleet.worker(calls).work(*ids, pause=0.5))
    await asyncio.sleep(19)
    assert set(calls.made) == {"create", "append"}, "what the commits themselves take"
    working.cancel()
    await asyncio.wait({working})


async def test_a_worker_that_dies_after_the_last_line_is_stood_in_for_by_another() -> None:
    fleet = Fleet()
    await fleet.submit("a", "b")
    await for_a_while(fleet.worker().work("a"), fleet.worker().commit_and_die("b", after=30), seconds=100)
    assert fleet.record


async def test_a_worker_that_stops_right_after_the_last_result_writes_it_in_leaving() -> None:
    fleet = Fleet()
    await fleet.submit("a")
    await for_a_while(fleet.worker().work("a", pause=1), seconds=1.5)
    assert fleet.record


async def test_a_worker_that_stops_does_not_wait_for_a_store_that_hangs() -> None:
    fleet = Fleet()
    await fleet.submit("a")
    calls = Calls()
    worker = fleet.worker(calls)
    await worker.commit("a")
    calls.hang("names")
    looking = asyncio.create_task(worker.completions.run())
    await asyncio.sleep(0.5)
    began = now()
    looking.cancel()
    await asyncio.wait({looking})
    assert now() - began < 2
    assert fleet.record is None


async def test_when_all_have_died_whoever_watches_writes_it() -> None:
    fleet = Fleet()
    await fleet.submit("a")
    await fleet.worker().commit("a")
    assert fleet.record is None
    assert await complete(fleet.blobs, FOLDER)
    assert fleet.record


async def test_a_line_that_is_lost_does_not_hide_a_result_from_whoever_watches() -> None:
    fleet = Fleet()
    await fleet.submit("a")
    fleet.account.write(FOLDER.result("a"), result("a").model_dump_json().encode())
    assert await is_complete(fleet.blobs, FOLDER)


async def test_one_call_of_many_is_told_that_it_wrote_the_record() -> None:
    fleet = Fleet()
    await fleet.submit("a")
    await fleet.worker().commit("a")
    told = await asyncio.gather(*(complete(FakeBlobs(fleet.account, Calls()), FOLDER) for _ in range(8)))
    assert sorted(told) == [False] * 7 + [True]
    assert not await complete(fleet.blobs, FOLDER)


async def test_a_write_whose_answer_was_lost_is_known_for_its_own() -> None:
    fleet = Fleet()
    await fleet.submit("a")
    await fleet.worker().commit("a")

    class Retrying(FakeBlobs):
        """As the SDK: a write whose answer was lost is sent again."""

        async def create(self, blob: str, data: bytes, **options: Any) -> str:  # noqa: ANN401 - the fake's
            await super().create(blob, data, **options)
            return await super().create(blob, data, **options)

    assert await complete(Retrying(fleet.account, Calls()), FOLDER)


async def test_cut_off_at_any_step_the_record_is_whole_or_written_by_the_next() -> None:
    counted = Calls()
    for step in range(1, 100):
        fleet = Fleet()
        await fleet.submit("a", "b")
        await fleet.worker().commit("a", "b")
        calls = Calls()
        calls.at_step[step] = calls.crash
        crashed = await ended(complete(FakeBlobs(fleet.account, calls), FOLDER), calls)
        written = fleet.record
        assert await is_complete(fleet.blobs, FOLDER)
        assert written is None or written == fleet.record
        counted = calls
        if not crashed:
            break
    assert counted.steps > 6


async def test_jobs_that_are_added_later_do_not_make_another_record() -> None:
    fleet = Fleet()
    await fleet.submit("a")
    worker = fleet.worker()
    await for_a_while(worker.work("a"), seconds=3)
    first = fleet.record
    await fleet.submit("b")
    await for_a_while(worker.work("b"), seconds=3)
    assert first == fleet.record


async def test_jobs_that_are_added_before_the_record_is_written_are_waited_for() -> None:
    fleet = Fleet()
    await fleet.submit("a")
    worker = fleet.worker()
    await worker.commit("a")
    await fleet.submit("b")
    await for_a_while(worker.work(), seconds=10)
    assert fleet.record is None
    await for_a_while(worker.work("b"), seconds=3)
    assert fleet.record


async def test_jobs_that_come_from_elsewhere_make_no_trouble(quiet: list[EventDict]) -> None:
    fleet, calls = Fleet(), Calls()
    ids = [f"s{number:02}" for number in range(40)]
    await for_a_while(fleet.worker(calls).work(*ids, pause=2), seconds=200)
    assert (fleet.record, quiet) == (None, [])
    assert calls.made.count("read") < 10, "though there is quiet after each of them"
    with pytest.raises(BatchError):
        await complete(fleet.blobs, FOLDER)


async def test_an_outage_costs_time_and_nothing_else(quiet: list[EventDict]) -> None:
    fleet = Fleet()
    await fleet.submit("a")
    calls = Calls()
    worker = fleet.worker(calls)
    await worker.commit("a")
    calls.fail("read", GONE, GONE, GONE)
    await for_a_while(worker.work(), seconds=30)
    assert fleet.record
    assert [event["event"] for event in quiet].count("completion_unknown") == 3


async def test_what_it_holds_is_bounded_and_what_is_over_is_forgotten() -> None:
    fleet = Fleet()
    worker = fleet.worker()
    names = [f"batch-{number:03}" for number in range(3 * MOST_BATCHES)]
    for name in names:
        await fleet.submit("a", "b", batch=name)
        await worker.commit("a", batch=name)
    await for_a_while(worker.work(), seconds=5)
    assert list(worker.completions._noted) == names[-MOST_BATCHES:]
    await for_a_while(worker.work(), seconds=FORGETTING_SECONDS + 60)
    assert not worker.completions._noted


async def test_it_looks_the_more_seldom_the_less_happens() -> None:
    fleet = Fleet()
    await fleet.submit("a", "b")
    calls = Calls()
    await for_a_while(fleet.worker(calls).work("a"), seconds=FORGETTING_SECONDS * 2)
    assert calls.made.count("names") < 30


async def test_the_record_is_read_as_it_was_written() -> None:
    fleet = Fleet()
    assert await read_completion(fleet.blobs, FOLDER) is None
    await fleet.submit("a")
    await fleet.worker().commit("a")
    await complete(fleet.blobs, FOLDER)
    assert await read_completion(fleet.blobs, FOLDER) == fleet.record


async def test_who_may_only_read_leaves_the_record_to_the_workers() -> None:
    fleet, calls = Fleet(), Calls()
    await fleet.submit("a")
    await fleet.worker().commit("a")
    calls.fail("create", REFUSED, GONE)
    reader = FakeBlobs(fleet.account, calls)
    await put_on_record(reader, FOLDER)
    assert fleet.record is None
    with pytest.raises(InfrastructureFault):
        await put_on_record(reader, FOLDER)
    await put_on_record(reader, FOLDER)
    assert fleet.record
