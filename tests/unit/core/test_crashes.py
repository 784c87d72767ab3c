"""A worker process that ends at any step whatever loses nothing; nor does a job that is cancelled there."""

import asyncio
import json
from collections.abc import Callable
from functools import partial

import pytest

from tests.unit.core.points import Points
from tests.unit.core.recorded_account import RecordedAccount
from tests.unit.core.virtual_time import VirtualLoop
from tests.unit.core.world import IDENTIFIERS, Process, World, job, settled_tasks
from worker.faults import CapacityFault, ExecutionLost, InfrastructureFault
from worker.settlement import History
from worker.suspects import DELIVERIES_BEFORE_SUSPICION

Prepare = Callable[[World, Process], None]


def runs_at_once(world: World, _: Process) -> None:
    world.send(job("j1", {"seconds": 1, "stdout": "out"}))


def spills(world: World, _: Process) -> None:
    program = {"stdout": "o" * 300, "files": {"a.txt": "text"}, "spill": True, "stored": True}
    world.send(job("j1", program, collect=["a.txt"]))


def is_rejected(world: World, _: Process) -> None:
    world.send(job("j1", stdin={"blob": "inputs/no"}))


def is_lost_once(world: World, process: Process) -> None:
    world.send(job("j1", {"stdout": "out"}))
    process.calls.fail("execute", ExecutionLost("no answer"), after_effect=True)


def meets_every_fault(world: World, process: Process) -> None:
    world.send(job("j1", {"stdout": "out"}))
    for name in ("receive", "create", "append", "release", "settle", "send"):
        process.calls.fail(name, InfrastructureFault("gone"), after_effect=name != "receive")
    process.calls.fail("execute", CapacityFault("full"), InfrastructureFault("503"))


def comes_again(world: World, _: Process) -> None:
    """A worker died with it and left a session."""
    world.send(job("j1", {"stdout": "out"}))
    fail_deliveries(world, 1)
    world.pool.use(IDENTIFIERS.new(0, "default/j1/1"))


def is_checked(world: World, _: Process) -> None:
    """In two sessions, one after the other, with hidden cases."""
    cases = [{"name": name, "compare": "checker", "hidden": True} for name in "ab"]
    checker = {"inline": json.dumps({"stdout": "fine", "seconds": 1})}
    file = {"version": 1, "cases": cases, "checker": checker}
    world.send(job("j1", {"seconds": 1, "stdout": "out"}, cases={"inline": file}))


def is_a_copy(world: World, _: Process) -> None:
    world.send(job("j1", {"stdout": "out"}), History(attempts=1, copies=1, reasons=("lost",), origin=1))


def is_a_suspect(world: World, _: Process) -> None:
    world.send(job("j1", {"seconds": 1, "stdout": "out"}))
    fail_deliveries(world, DELIVERIES_BEFORE_SUSPICION)


def gives_way(world: World, process: Process) -> None:
    """Of this batch and of a smaller one there are messages behind it, or so it seemed."""
    line = process.services.shares.line("")
    line.begin_look()
    for number, batch in enumerate(["default"] * 4 + ["small"], 1):
        line.saw(number, batch, is_waiting=True)
    line.end_look()
    world.send(job("j1", {"seconds": 1, "stdout": "out"}))


def is_given_up(world: World, _: Process) -> None:
    world.send(job("j1"), History(attempts=5, copies=5, reasons=("lost",), origin=1))


def is_sent_twice(world: World, _: Process) -> None:
    world.send(job("j1", {"seconds": 1}))
    world.send(job("j1", {"seconds": 1}))


def fail_deliveries(world: World, times: int) -> None:
    for _ in range(times):
        message = world.queue.acquire()
        assert message
        assert message.token
        world.queue.rules.abandon(message.token, world.queue.advance())


SCENES = (
    runs_at_once,
    spills,
    is_checked,
    is_rejected,
    is_lost_once,
    meets_every_fault,
    comes_again,
    is_a_copy,
    is_a_suspect,
    is_given_up,
    gives_way,
    is_sent_twice,
)
scenes = pytest.mark.parametrize("prepare", SCENES, ids=[scene.__name__ for scene in SCENES])


def prepared(prepare: Prepare, account: RecordedAccount | None = None) -> tuple[World, Process]:
    world = World()
    world.account = account or world.account
    process = world.process(max_inline_output_bytes=100, max_sessions=1, lookahead=0)
    prepare(world, process)
    return world, process


async def steps_of(prepare: Prepare) -> int:
    world, process = prepared(prepare)
    await process.drain()
    await world.check()
    return process.calls.steps


def results_of(world: World) -> dict[str, str]:
    """The ETag of each."""
    return {name: blob.etag for name, blob in world.account.blobs.items() if "result.json" in name}


async def crashed_at(step: int, world: World, process: Process) -> None:
    """Run the process until it crashes, and take away all that is left of it."""
    process.calls.at_step[step] = process.calls.crash
    running = asyncio.create_task(process.drain())
    await asyncio.wait(
        {running, asyncio.create_task(process.calls.crashed.wait())}, return_when="FIRST_COMPLETED"
    )
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    await settled_tasks()
    world.queue.wake()


@scenes
async def test_a_crash_at_any_step_loses_nothing_and_ends_in_one_result(
    prepare: Prepare, points: Points
) -> None:
    for step in points.of(await steps_of(prepare)):
        world, process = prepared(prepare)
        await crashed_at(step, world, process)
        committed = results_of(world)
        assert await world.process(lookahead=0).drain() == 0
        assert world.results() == ["j1"], f"crashed at step {step}"
        assert committed.items() <= results_of(world).items()
        assert {line["id"] for line in world.progress()} == {"j1"}, f"crashed at step {step}"
        await world.check()
    VirtualLoop.unhandled_of_running().clear()


@scenes
async def test_a_job_that_is_aborted_at_any_step_is_handed_back_and_leaves_nothing(
    prepare: Prepare, points: Points
) -> None:
    for step in points.of(await steps_of(prepare)):
        world, process = prepared(prepare)
        before, stop = set(world.pool.sessions), process.stop
        process.settings = process.worker._settings = process.settings.model_copy(
            update={"shutdown_grace_seconds": 0}
        )
        process.calls.at_step[step] = stop.set
        assert await process.drain() == 0, f"stopped at step {step}"
        assert not process.permits._in_use, f"stopped at step {step}"
        assert set(world.pool.sessions) <= before, f"stopped at step {step}"
        await world.process(lookahead=0).drain()
        assert world.results() == ["j1"], f"stopped at step {step}"
        await world.check()


@scenes
async def test_a_worker_that_is_cancelled_at_any_step_leaves_nothing_behind(
    prepare: Prepare, points: Points
) -> None:
    for step in points.of(await steps_of(prepare)):
        world, process = prepared(prepare)
        before, running = set(world.pool.sessions), asyncio.create_task(process.drain())
        process.calls.at_step[step] = running.cancel
        await asyncio.wait({running})
        await settled_tasks()
        assert not process.permits._in_use, f"cancelled at step {step}"
        assert set(world.pool.sessions) <= before, f"cancelled at step {step}"
        await world.process(lookahead=0).drain()
        assert world.results() == ["j1"], f"cancelled at step {step}"
        await world.check()


@scenes
async def test_a_message_that_goes_to_another_worker_at_any_step_ends_in_one_result(
    prepare: Prepare, points: Points
) -> None:
    """As after a pause: the first worker has lost the lock, does not know it, and goes on."""
    for step in points.of(await steps_of(prepare)):
        account = RecordedAccount()
        world, process = prepared(prepare, account)
        world.pool.max_sessions = 3
        second = world.process(lookahead=0, max_sessions=1)
        begun = asyncio.Event()
        process.calls.at_step[step] = partial(lose_locks, world, begun)
        running = asyncio.create_task(process.drain())
        waiting = asyncio.create_task(begun.wait())
        await asyncio.wait({running, waiting}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()  # by chance the pauses between calls were such that there were fewer steps
        committed = results_of(world)
        assert await second.drain() == 0
        assert await running == 0
        assert world.results() == ["j1"], f"lost at step {step}"
        assert committed.items() <= results_of(world).items()
        assert [len(commits) for commits in account.commits.values()] == [1]
        world.pool.violations.clear()  # the first worker may use a session that the second has deleted
        await world.check()


def lose_locks(world: World, begun: asyncio.Event) -> None:
    now = world.queue.advance()
    for message in list(world.queue.rules.messages.values()):
        if message.token:
            world.queue.rules.abandon(message.token, now)
    world.queue.wake()
    begun.set()
