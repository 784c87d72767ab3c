"""Slots from start to stop: what they take, when they end, and what they leave."""

import asyncio
from collections.abc import Awaitable

import pytest

from tests.unit.core.fake_queue import FakeReceiver
from tests.unit.core.world import Process, World, job
from worker.delivery import Delivery
from worker.faults import ConfigurationFault, InfrastructureFault
from worker.lifecycle import Duty, Worker
from worker.settlement import Complete, HandBack, Settlement


def running(process: Process, *, drain: bool = False) -> asyncio.Task[int]:
    return asyncio.create_task(process.worker.run(process.stop, drain=drain))


async def finish(world: World) -> None:
    assert await world.process(shutdown_grace_seconds=1000).drain() == 0


async def test_a_message_that_comes_after_the_stop_is_handed_back_once_however_many_slots_there_are(
    world: World,
) -> None:
    process = world.process(lookahead=30)
    task = running(process)
    await asyncio.sleep(0.1)
    process.stop.set()
    world.send(job())
    assert await task == 0
    assert [settlement for _, _, settlement in world.queue.settled] == [HandBack()]
    assert "execute" not in process.calls.made
    await finish(world)


async def test_a_job_that_ends_within_the_grace_is_completed(world: World) -> None:
    world.send(job("j1", {"seconds": 20}))
    process = world.process(shutdown_grace_seconds=25)
    task = running(process)
    await asyncio.sleep(1)
    process.stop.set()
    assert await task == 0
    assert world.queue.settled == [(1, 0, Complete())]


async def test_a_job_that_outlasts_the_grace_is_handed_back_without_its_session(world: World) -> None:
    world.send(job("j1", {"seconds": 60}))
    process = world.process(shutdown_grace_seconds=25)
    task = running(process)
    await asyncio.sleep(1)
    process.stop.set()
    assert await task == 0
    assert asyncio.get_running_loop().time() < 30
    assert world.queue.settled == [(1, 0, HandBack())]
    assert not world.pool.sessions
    await finish(world)
    assert world.result().attempts == 1


async def test_a_worker_without_grace_stops_jobs_that_wait_for_a_permit_too(world: World) -> None:
    for number in range(3):
        world.send(job(f"j{number}", {"seconds": 60}))
    process = world.process(shutdown_grace_seconds=0, lookahead=1)
    task = running(process)
    await asyncio.sleep(1)
    process.stop.set()
    assert await task == 0
    assert sorted(settlement == HandBack() for _, _, settlement in world.queue.settled) == [True] * 3
    await finish(world)


async def test_draining_waits_for_scheduled_messages_and_those_that_others_hold(world: World) -> None:
    other = world.process()
    world.send(job("held"))
    delivery = await other.take()
    world.queue.send(world.queue.sent[world.send(job("now"))], delay=500)
    task = running(world.process(), drain=True)
    await asyncio.sleep(50)
    assert world.results() == ["now"]
    await other.receiver().settle(delivery, HandBack())
    assert await task == 0
    assert asyncio.get_running_loop().time() >= 500
    assert sorted(world.results()) == ["held", "now"]


async def test_a_worker_that_does_not_drain_goes_on_until_it_is_stopped(world: World) -> None:
    process = world.process()
    task = running(process)
    await asyncio.sleep(3600)
    world.send(job())
    await asyncio.sleep(60)
    assert world.results() == ["j1"]
    process.stop.set()
    assert await task == 0


async def test_a_queue_that_hangs_does_not_hold_up_the_end(world: World) -> None:
    process = world.process(shutdown_grace_seconds=600)
    process.calls.hang("receive")
    task = running(process)
    await asyncio.sleep(100)
    process.stop.set()
    assert await task == 0
    assert asyncio.get_running_loop().time() - 100 < 15


async def test_a_pool_that_hangs_does_not_keep_a_job_from_being_handed_back(world: World) -> None:
    world.send(job("j1", {"seconds": 60}))
    process = world.process(shutdown_grace_seconds=1)
    process.calls.hang("release")
    task = running(process)
    await asyncio.sleep(10)
    process.stop.set()
    assert await task == 0
    assert asyncio.get_running_loop().time() - 10 < 12
    assert world.queue.settled == [(1, 0, HandBack())]
    for left in asyncio.all_tasks() - {asyncio.current_task()}:
        left.cancel()
    for name in list(world.pool.sessions):
        world.pool.delete(name)
    await asyncio.sleep(1000)
    await finish(world)


class Broken:
    async def process(self, delivery: Delivery) -> Settlement:
        raise ZeroDivisionError(delivery.message_id)


async def test_a_slot_that_dies_stops_the_worker_and_its_status_tells(world: World) -> None:
    world.send(job())
    process = world.process()
    worker = Worker(process.services, process.permits, Broken(), process.receiver)
    assert await worker.run(process.stop, drain=False) == 1
    assert process.stop.is_set()
    await finish(world)


async def test_a_worker_that_is_cancelled_hands_back_and_leaves_nothing(world: World) -> None:
    world.send(job("j1", {"seconds": 600}))
    process = world.process()
    task = running(process)
    await asyncio.sleep(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert world.queue.settled == [(1, 0, HandBack())]
    await finish(world)


async def test_sessions_that_cannot_be_deleted_do_not_hold_up_the_end(world: World) -> None:
    world.send(job("j1", {}, session={"policy": "shared"}))
    process = world.process()
    process.calls.hang("release")
    assert await process.drain() == 0
    assert asyncio.get_running_loop().time() < 60
    await asyncio.sleep(0)
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()
    await asyncio.sleep(process.settings.session_cooldown_seconds + 1)


@pytest.mark.parametrize(
    "fault", [InfrastructureFault("gone"), ConfigurationFault("there is no queue", "Create it")], ids=repr
)
async def test_a_queue_out_of_reach_is_asked_less_and_less_often(world: World, fault: Exception) -> None:
    process = world.process(max_sessions=1, lookahead=0)
    process.calls.fail("receive", *[fault] * 100)
    task = running(process)
    await asyncio.sleep(600)
    assert 50 < process.calls.made.count("receive") < 150
    process.stop.set()
    began = asyncio.get_running_loop().time()
    assert await task == 0
    assert asyncio.get_running_loop().time() - began < 1


async def test_after_faults_the_queue_is_asked_at_once_again(world: World) -> None:
    process = world.process()
    process.calls.fail("receive", *[InfrastructureFault("gone")] * 10)
    for number in range(10):
        world.send(job(f"j{number}"))
    assert await process.drain() == 0
    assert len(world.results()) == 10


class Handler:
    """Processes for as long as told, and notes what became of it."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.ended = seconds, False

    def process(self, delivery: Delivery) -> Awaitable[Settlement]:
        del delivery
        return self._last()

    async def _last(self) -> Settlement:
        try:
            await asyncio.sleep(self.seconds)
        finally:
            self.ended = True
        return Complete()


async def test_a_slot_leaves_its_link_at_the_end(world: World) -> None:
    process = world.process()
    slot = process.slot(Handler(0))
    task = asyncio.create_task(slot.run())
    await asyncio.sleep(1)
    process.stop.set()
    await task
    assert isinstance(slot._receiver, FakeReceiver)
    assert slot._receiver.rested == 1


async def test_a_slot_whose_work_is_not_wanted_now_has_no_link_over_which_a_message_could_come(
    world: World,
) -> None:
    process = world.process(max_sessions=1)
    slot = process.slot(Handler(0))
    assert process.permits.retire(0)
    task = asyncio.create_task(slot.run())
    await asyncio.sleep(10)
    assert isinstance(slot._receiver, FakeReceiver)
    assert slot._receiver.rested
    assert "receive" not in process.calls.made
    process.stop.set()
    await task


async def test_a_slot_that_is_aborted_has_ended_its_work_before_it_hands_back(world: World) -> None:
    world.send(job())
    process, handler = world.process(), Handler(100)
    slot = process.slot(handler)
    task = asyncio.create_task(slot.run())
    await asyncio.sleep(1)
    process.stop.set()
    slot.abort()
    await task
    assert handler.ended
    assert world.queue.settled == [(1, 0, HandBack())]
    await finish(world)


async def test_intake_counts_the_slots_that_are_busy(world: World) -> None:
    world.send(job())
    process = world.process()
    task = asyncio.create_task(process.slot(Handler(5), drain=True).run())
    await asyncio.sleep(1)
    assert process.intake.busy == 1
    await task
    assert process.intake.busy == 0


async def forever() -> None:
    await asyncio.Event().wait()


async def fails_soon() -> None:
    await asyncio.sleep(5)
    raise ZeroDivisionError


@pytest.mark.parametrize(("duty", "status"), [(forever, 0), (fails_soon, 1)])
async def test_a_duty_that_dies_stops_the_worker_and_its_status_tells(
    world: World, duty: Duty, status: int
) -> None:
    world.send(job("j1", {"seconds": 10}))
    process = world.process()
    worker = Worker(process.services, process.permits, process.processor, process.receiver, [duty])
    assert await worker.run(process.stop, drain=True) == status
    assert world.results() == ["j1"]


async def test_a_worker_is_ready_between_its_start_and_its_stop(world: World) -> None:
    process = world.process()
    assert process.vitals.ready() == ["the worker is starting"]
    task = running(process)
    await asyncio.sleep(1000)
    assert (process.vitals.ready(), process.vitals.live()) == ([], [])
    process.stop.set()
    await task
    assert process.vitals.ready() == ["the worker is stopping"]


async def test_a_worker_without_a_single_permit_takes_no_message(world: World) -> None:
    world.send(job())
    process = world.process()
    for index in range(2):
        assert process.permits.retire(index)
    task = running(process, drain=True)
    await asyncio.sleep(60)
    assert "receive" not in process.calls.made
    process.permits.add(1)
    assert await task == 0
    assert world.results() == ["j1"]
