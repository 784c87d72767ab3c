"""A marker keeps a job from being begun, or stops it; what stops it otherwise is not taken for that."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

import pytest

from tests.unit.core.calls import Calls
from tests.unit.core.fake_blobs import Account, FakeBlobs
from tests.unit.core.world import World, job
from worker.cancelling import LOOK_SECONDS, Cancellations, JobCancelled, mark, marker
from worker.faults import InfrastructureFault
from worker.settlement import Complete

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import structlog

pytestmark = pytest.mark.usefixtures("alone")
LONG = 1000.0


class Fleet:
    """An account, a client of it and one worker's view of the markers."""

    def __init__(self) -> None:
        self.account, self.calls = Account(), Calls()
        self.cancellations = Cancellations(FakeBlobs(self.account, self.calls), "results")
        self.ended: list[str] = []

    async def cancel(self, batch: str, job_id: str | None = None) -> None:
        await mark(FakeBlobs(self.account, Calls()), marker("results", batch, job_id))

    async def job(self, job_id: str, seconds: float = LONG, cleanup: float = 0) -> str:
        """Run a job of the batch hw1; how it ended."""
        try:
            async with self.cancellations.stopping("hw1", job_id):
                try:
                    await asyncio.sleep(seconds)
                finally:
                    await asyncio.sleep(cleanup)
                    self.ended.append(job_id)
        except JobCancelled:
            return "cancelled"
        return "done"


@asynccontextmanager
async def looking() -> AsyncIterator[Fleet]:
    fleet = Fleet()
    task = asyncio.create_task(fleet.cancellations.run())
    await asyncio.sleep(LOOK_SECONDS / 2)
    try:
        yield fleet
    finally:
        assert not task.done()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        assert not fleet.cancellations._running


async def test_a_marked_job_is_known_within_two_seconds_and_no_other_is() -> None:
    async with looking() as fleet:
        await fleet.cancel("hw1", "a")
        assert not fleet.cancellations.is_cancelled("hw1", "a")
        await asyncio.sleep(LOOK_SECONDS)
        assert fleet.cancellations.is_cancelled("hw1", "a")
        assert not fleet.cancellations.is_cancelled("hw1", "ab")
        assert not fleet.cancellations.is_cancelled("hw2", "a")


async def test_a_marked_batch_has_all_of_its_jobs_marked_and_no_other_batch() -> None:
    async with looking() as fleet:
        await fleet.cancel("hw1")
        await asyncio.sleep(LOOK_SECONDS)
        assert fleet.cancellations.is_cancelled("hw1", "anything")
        assert not fleet.cancellations.is_cancelled("hw10", "anything")


async def test_a_job_that_waits_is_not_begun() -> None:
    async with looking() as fleet:
        await fleet.cancel("hw1", "a")
        await asyncio.sleep(LOOK_SECONDS)
        assert await fleet.job("a") == "cancelled"
        assert fleet.ended == []


async def test_a_worker_that_has_just_begun_looks_before_it_begins_a_job() -> None:
    fleet = Fleet()
    await fleet.cancel("hw1", "a")
    looks = asyncio.create_task(fleet.cancellations.run())
    job = asyncio.create_task(fleet.job("a"))
    assert await job == "cancelled"
    assert fleet.ended == []
    looks.cancel()


async def test_a_worker_that_cannot_look_begins_its_jobs_all_the_same() -> None:
    fleet = Fleet()
    fleet.calls.fail("names", *[InfrastructureFault("gone")] * 100)
    looks = asyncio.create_task(fleet.cancellations.run())
    job = asyncio.create_task(fleet.job("a", 5))
    assert await job == "done"
    looks.cancel()


async def test_a_running_job_is_stopped_and_cleans_up_and_the_others_run_on() -> None:
    async with looking() as fleet:
        jobs = [asyncio.create_task(fleet.job(job_id, 20, cleanup=3)) for job_id in ("a", "b")]
        await asyncio.sleep(5)
        await fleet.cancel("hw1", "a")
        began = asyncio.get_running_loop().time()
        assert await jobs[0] == "cancelled"
        assert asyncio.get_running_loop().time() - began <= LOOK_SECONDS + 3
        assert await jobs[1] == "done"
        assert fleet.ended == ["a", "b"]


async def test_looks_that_follow_do_not_cancel_the_clean_up() -> None:
    async with looking() as fleet:
        job = asyncio.create_task(fleet.job("a", cleanup=5 * LOOK_SECONDS))
        await asyncio.sleep(0)
        await fleet.cancel("hw1", "a")
        assert await job == "cancelled"
        assert fleet.ended == ["a"]


@pytest.mark.parametrize("delay", [-2e-9, -1e-9, 0.0, 1e-9, 2e-9])
async def test_a_marker_that_is_seen_just_as_the_job_ends_leaves_one_clear_end(delay: float) -> None:
    async with looking() as fleet:
        await fleet.cancel("hw1", "a")
        job = asyncio.create_task(fleet.job("a", LOOK_SECONDS / 2 + delay))
        assert await job in {"done", "cancelled"}
        assert fleet.ended == ["a"]
        await asyncio.sleep(LONG)
        assert not job.cancelling()


async def test_a_job_that_ended_before_it_could_be_stopped_has_ended() -> None:
    async with looking() as fleet:
        released = asyncio.Event()

        async def job() -> str:
            async with fleet.cancellations.stopping("hw1", "a"):
                with suppress(asyncio.CancelledError):  # what the work came to is not undone any more
                    await released.wait()
                return "done"

        task = asyncio.create_task(job())
        await asyncio.sleep(0)
        await fleet.cancel("hw1", "a")
        assert await task == "done"
        assert task.cancelling() == 0


async def test_a_cancellation_from_outside_is_not_taken_for_a_marker() -> None:
    async with looking() as fleet:
        job = asyncio.create_task(fleet.job("a"))
        await asyncio.sleep(0)
        job.cancel()
        with pytest.raises(asyncio.CancelledError):
            await job


@pytest.mark.parametrize("first", ["marker", "outside"])
async def test_when_both_come_together_the_cancellation_from_outside_counts(first: str) -> None:
    async with looking() as fleet:
        job = asyncio.create_task(fleet.job("a", cleanup=4 * LOOK_SECONDS))
        await asyncio.sleep(0)
        if first == "outside":
            job.cancel()
        await fleet.cancel("hw1", "a")
        await asyncio.sleep(2 * LOOK_SECONDS)
        if first == "marker":
            job.cancel()
        with pytest.raises(asyncio.CancelledError):
            await job
        assert fleet.ended == (["a"] if first == "outside" else [])


async def test_a_time_limit_within_the_job_is_its_own_and_does_not_hide_the_marker() -> None:
    async with looking() as fleet:
        await fleet.cancel("hw1", "other")

        async def job() -> None:
            async with fleet.cancellations.stopping("hw1", "a"), asyncio.timeout(5):
                await asyncio.sleep(LONG)

        with pytest.raises(TimeoutError):
            await job()
        task = asyncio.create_task(job())
        await asyncio.sleep(0)
        await fleet.cancel("hw1", "a")
        with pytest.raises(JobCancelled):
            await task


async def test_two_runs_of_one_job_are_both_stopped() -> None:
    async with looking() as fleet:
        jobs = [asyncio.create_task(fleet.job("a")) for _ in range(2)]
        await asyncio.sleep(0)
        await fleet.cancel("hw1")
        assert await asyncio.gather(*jobs) == ["cancelled", "cancelled"]


async def test_markers_that_cannot_be_listed_are_said_once_an_outage_and_looked_for_again(
    quiet: list[structlog.typing.EventDict],
) -> None:
    async with looking() as fleet:
        await fleet.cancel("hw1", "a")
        await asyncio.sleep(LOOK_SECONDS)
        await fleet.cancel("hw1", "b")
        fleet.calls.fail("names", *[InfrastructureFault("gone")] * 3, ValueError("of the SDK"))
        await asyncio.sleep(3.5 * LOOK_SECONDS)
        assert fleet.cancellations.is_cancelled("hw1", "a")
        assert not fleet.cancellations.is_cancelled("hw1", "b")
        assert [event["event"] for event in quiet] == ["cancellations_unknown"]
        await asyncio.sleep(2 * LOOK_SECONDS)
        assert fleet.cancellations.is_cancelled("hw1", "b")


async def test_a_look_that_never_answers_is_given_up() -> None:
    async with looking() as fleet:
        fleet.calls.hang("names")
        await fleet.cancel("hw1", "a")
        await asyncio.sleep(LONG)
        assert fleet.cancellations.is_cancelled("hw1", "a")


async def test_marking_twice_is_marking_once() -> None:
    fleet = Fleet()
    await fleet.cancel("hw1", "a")
    await fleet.cancel("hw1", "a")
    assert list(fleet.account.blobs) == ["results/_cancelled/hw1/a"]


async def test_a_workers_running_and_waiting_jobs_end_as_cancelled_and_nothing_of_them_stays(
    world: World,
) -> None:
    """Two run, one is with the worker and waits for a session, two are in the queue."""
    for number in range(5):
        world.send(job(f"j{number}", {"seconds": LONG}))
    world.send(job("other", {"seconds": 5}, batch="other"))
    process = world.process()
    looks = asyncio.create_task(process.cancellations.run())
    drained = asyncio.create_task(process.drain())
    await asyncio.sleep(10)
    await mark(FakeBlobs(world.account, Calls()), marker("results", "default"))
    cancelled_at = asyncio.get_running_loop().time()
    assert await drained == 0
    assert asyncio.get_running_loop().time() - cancelled_at < LONG / 10
    looks.cancel()
    assert {world.result(f"j{number}").status for number in range(5)} == {"cancelled"}
    assert world.result("other", "other").status == "succeeded"
    assert [line["status"] for line in world.progress()] == ["cancelled"] * 5
    assert {type(settlement) for _, _, settlement in world.queue.settled} == {Complete}


async def test_a_job_that_is_cancelled_while_its_result_is_being_stored_ends_in_that_result(
    world: World,
) -> None:
    world.send(job("j1", {"seconds": 1}))
    process = world.process()
    process.calls.fail("create", InfrastructureFault("no answer"), after_effect=True)
    process.calls.fail("metadata", *[InfrastructureFault("503")] * 4)
    looks = asyncio.create_task(process.cancellations.run())
    drained = asyncio.create_task(process.drain())
    await asyncio.sleep(1.5)
    await mark(FakeBlobs(world.account, Calls()), marker("results", "default", "j1"))
    assert await drained == 0
    looks.cancel()
    assert process.calls.made.count("metadata") > 3
    assert [line["status"] for line in world.progress()] == [world.result().status] == ["succeeded"]
