"""The lock of a message is a deadline that each renewal moves; when it passes, nothing more is done."""

import asyncio

import pytest

from tests.unit.core.fake_queue import Queue
from tests.unit.core.world import Process, World, job
from worker.faults import CapacityFault, InfrastructureFault, LockLost
from worker.settlement import Complete


async def test_an_hour_long_job_keeps_its_lock_by_renewing_at_each_third(world: World) -> None:
    world.send(job("j1", {"seconds": 3600}))
    process = world.process()
    await process.drain()
    assert world.queue.settled == [(1, 0, Complete())]
    assert process.calls.made.count("renew") == 3600 / 20


async def test_a_lock_is_renewed_while_a_job_waits_for_a_session(world: World) -> None:
    for number in range(4):
        world.send(job(f"j{number}", {"seconds": 500}))
    await world.process(lookahead=2).drain()
    assert [count for _, count, _ in world.queue.settled] == [0] * 4


async def test_a_renewal_that_fails_is_tried_again_in_time(world: World) -> None:
    world.send(job("j1", {"seconds": 200}))
    process = world.process()
    process.calls.fail("renew", None, InfrastructureFault("gone"), CapacityFault("busy"))
    await process.drain()
    assert world.queue.settled == [(1, 0, Complete())]


async def test_a_renewal_that_never_answers_is_given_up_while_there_is_time_to_stop(world: World) -> None:
    world.send(job("j1", {"seconds": 200}))
    process = world.process()
    process.calls.hang("renew")
    await loses_its_lock(world, process)


def lost_by_a_refusal(process: Process) -> None:
    process.calls.fail("renew", None, LockLost("the broker says so"))


def lost_by_silence(process: Process) -> None:
    process.calls.fail("renew", *[InfrastructureFault("gone")] * 12)


async def loses_its_lock(world: World, process: Process) -> None:
    """The first delivery is not settled at all, and its session is gone before its lock is."""
    ended = asyncio.create_task(process.drain())
    await asyncio.sleep(0.1)
    (session,) = world.pool.sessions.values()
    await session.gone.wait()
    message = world.queue.rules.messages[1]
    assert message.delivery_count == 0
    assert asyncio.get_running_loop().time() < message.locked_until
    assert world.results() == []
    await ended
    assert world.queue.settled == [(1, 1, Complete())]
    assert process.calls.made.count("create") == 1


@pytest.mark.parametrize("lose", [lost_by_a_refusal, lost_by_silence])
async def test_a_lost_lock_stops_the_work_deletes_the_session_and_settles_nothing(
    world: World, lose: object
) -> None:
    world.send(job("j1", {"seconds": 200}))
    process = world.process()
    assert callable(lose)
    lose(process)
    await loses_its_lock(world, process)


async def test_a_settlement_that_comes_too_late_is_left_to_the_next_delivery(world: World) -> None:
    world.send(job("j1"))
    process = world.process()
    process.calls.fail("settle", LockLost("the broker says so"))
    assert await process.drain() == 0
    assert world.queue.settled == [(1, 1, Complete())]
    assert process.calls.made.count("execute") == 1


@pytest.mark.parametrize("seconds", [1, 5, 300])
async def test_a_lock_of_any_length_is_kept(world: World, seconds: float) -> None:
    world.queue = Queue(lock_seconds=seconds)
    world.send(job("j1", {"seconds": seconds * 10}))
    await world.process().drain()
    assert [count for _, count, _ in world.queue.settled] == [0]
