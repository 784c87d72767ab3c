"""A worker process that ends at any step whatever loses nothing; nor does a job that is cancelled there."""

import asyncio
from collections.abc import Callable

import pytest

from tests.unit.core.virtual_time import VirtualLoop
from tests.unit.core.world import Process, World, job, settled_tasks
from worker.faults import CapacityFault, ExecutionLost, InfrastructureFault

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


SCENES = (runs_at_once, spills, is_rejected, is_lost_once, meets_every_fault)
scenes = pytest.mark.parametrize("prepare", SCENES, ids=[scene.__name__ for scene in SCENES])


def prepared(prepare: Prepare) -> tuple[World, Process]:
    world = World()
    process = world.process(max_inline_output_bytes=100, max_sessions=1, lookahead=0)
    prepare(world, process)
    return world, process


async def steps_of(prepare: Prepare) -> int:
    world, process = prepared(prepare)
    await process.drain()
    await world.check()
    return process.calls.steps


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
async def test_a_crash_at_any_step_loses_nothing_and_ends_in_one_result(prepare: Prepare) -> None:
    for step in range(1, await steps_of(prepare) + 1):
        world, process = prepared(prepare)
        await crashed_at(step, world, process)
        committed = {name: blob.etag for name, blob in world.account.blobs.items() if "result.json" in name}
        assert await world.process(lookahead=0).drain() == 0
        assert world.results() == ["j1"], f"crashed at step {step}"
        assert committed.items() <= {name: blob.etag for name, blob in world.account.blobs.items()}.items()
        assert {line["id"] for line in world.progress()} == {"j1"}, f"crashed at step {step}"
        await world.check()
    VirtualLoop.unhandled_of_running().clear()


@scenes
async def test_a_job_that_is_aborted_at_any_step_is_handed_back_and_leaves_nothing(prepare: Prepare) -> None:
    for step in range(1, await steps_of(prepare) + 1):
        world, process = prepared(prepare)
        stop = process.stop
        process.settings = process.worker._settings = process.settings.model_copy(
            update={"shutdown_grace_seconds": 0}
        )
        process.calls.at_step[step] = stop.set
        assert await process.drain() == 0, f"stopped at step {step}"
        assert not process.permits._in_use, f"stopped at step {step}"
        assert not list(world.pool.sessions), f"stopped at step {step}"
        await world.process(lookahead=0).drain()
        assert world.results() == ["j1"], f"stopped at step {step}"
        await world.check()


@scenes
async def test_a_worker_that_is_cancelled_at_any_step_leaves_nothing_behind(prepare: Prepare) -> None:
    for step in range(1, await steps_of(prepare) + 1):
        world, process = prepared(prepare)
        running = asyncio.create_task(process.drain())
        process.calls.at_step[step] = running.cancel
        await asyncio.wait({running})
        await settled_tasks()
        assert not process.permits._in_use, f"cancelled at step {step}"
        assert not list(world.pool.sessions), f"cancelled at step {step}"
        await world.process(lookahead=0).drain()
        assert world.results() == ["j1"], f"cancelled at step {step}"
        await world.check()
