"""What is known to have gone wrong in other workers of this kind, and must not go wrong in this one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.unit.core.world import job
from worker.faults import InfrastructureFault, LockLost
from worker.settlement import Complete

if TYPE_CHECKING:
    import structlog

    from tests.unit.core.world import Process, World


def running(process: Process) -> asyncio.Task[int]:
    return asyncio.create_task(process.worker.run(process.stop, drain=False))


async def test_a_job_whose_heartbeat_fails_does_not_run_on_and_does_not_overwrite_what_the_next_one_writes(
    world: World,
) -> None:
    world.send(job("j1", {"seconds": 100, "stdout": "out"}))
    first, second = world.process(instance="first"), world.process(instance="second")
    first.calls.fail("renew", *[InfrastructureFault("no heartbeat")] * 100)
    begun = running(first)
    await asyncio.sleep(1)
    first.stop.set()  # it takes no other message, and has time enough to end this one
    first.settings = first.worker._settings = first.settings.model_copy(
        update={"shutdown_grace_seconds": 1000}
    )
    assert await second.drain() == 0
    assert await begun == 0
    assert "create" not in first.calls.made
    assert world.result().worker.instance == "second"
    first_run, second_run = world.pool.executed
    assert first_run.ended <= second_run.began


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"version": 1, "id": "x"}', b""])
async def test_an_invalid_message_comes_once_and_does_not_loop(world: World, body: bytes) -> None:
    world.send(body)
    process = world.process()
    begun = running(process)
    await asyncio.sleep(3600)
    process.stop.set()
    await begun
    assert process.calls.made.count("settle") == 1
    assert [(count, len(world.queue.dead)) for _, count, _ in world.queue.settled] == [(0, 1)]


@pytest.mark.parametrize("after_effect", [False, True])
@pytest.mark.parametrize("fault", [LockLost("too late"), InfrastructureFault("no answer")])
async def test_an_acknowledgement_that_fails_is_told_and_the_next_delivery_settles_from_the_result(
    world: World, quiet: list[structlog.typing.EventDict], fault: Exception, *, after_effect: bool
) -> None:
    world.send(job("j1", {"stdout": "out"}))
    process = world.process()
    process.calls.fail("settle", fault, after_effect=after_effect)
    assert await process.drain() == 0
    told = {event["event"] for event in quiet if event["log_level"] in ("warning", "error")}
    assert told & {"settlement_uncertain", "queue_unavailable"}
    assert [settlement for _, _, settlement in world.queue.settled] == [Complete()]
    assert process.calls.made.count("execute") == 1


@pytest.mark.parametrize("policy", [{"policy": "shared"}, {"policy": "keyed", "key": "k"}])
async def test_a_sandbox_whose_program_timed_out_is_not_used_again(
    world: World, policy: dict[str, str]
) -> None:
    programs = [{"outcome": "timed_out"}, {"stdout": "out"}, {"stdout": "out"}]
    for number, program in enumerate(programs):
        world.send(job(f"j{number}", program, mode="cell", session=policy))
    await world.process(max_sessions=1, lookahead=0).drain()
    timed_out, *others = world.pool.executed
    assert timed_out.session.gone.is_set()
    assert timed_out.session not in [each.session for each in others]
    assert others[0].session is others[1].session  # which otherwise is what the policy is for


async def test_a_job_that_waits_for_a_permit_has_not_lost_its_lock_or_its_time_when_it_gets_one(
    world: World,
) -> None:
    world.send(job("j1", {"seconds": 180}))
    world.send(job("j2", {"seconds": 5}, limits={"timeout_seconds": 7}))
    await world.process(max_sessions=1, lookahead=1).drain()
    assert [count for _, count, _ in world.queue.settled] == [0, 0]
    assert world.pool.timeouts[1] >= 7


async def test_a_job_that_waits_for_a_permit_stops_waiting_when_its_lock_is_lost(world: World) -> None:
    world.send(job("j1", {"seconds": 60}))
    process = world.process(max_sessions=1, lookahead=1)
    begun = running(process)
    await asyncio.sleep(1)
    world.send(job("j2"))
    process.calls.fail("renew", None, LockLost("the broker says so"))
    await asyncio.sleep(1)
    assert process.permits.waiting == 1
    await asyncio.sleep(40)
    assert process.permits.waiting == 0
    process.stop.set()
    await begun
    assert world.results() == ["j1"]
    assert len(world.pool.executed) == 1
    await world.process().drain()
    assert world.results() == ["j1", "j2"]


async def test_a_result_that_was_written_before_its_worker_died_settles_the_job(world: World) -> None:
    world.send(job("j1", {"stdout": "out"}))
    first = world.process()
    first.calls.hang("settle")
    begun = running(first)
    await asyncio.sleep(5)
    assert world.results() == ["j1"]
    begun.cancel()
    await asyncio.wait({begun})
    second = world.process()
    assert await second.drain() == 0
    assert "execute" not in second.calls.made
    assert world.queue.left == []
