"""Runs of schedules in the worker: what may not start ends in a result that says so."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from tests.unit.core.world import World, job
from worker.cancelling import mark
from worker.instants import written
from worker.settlement import Complete, DeadLetter, History, Retry

if TYPE_CHECKING:
    from worker.settlement import Settlement


def run(
    job_id: str, minutes: float = 0, program: dict[str, Any] | None = None, **fields: object
) -> dict[str, Any]:
    """A run that was planned so many minutes from now."""
    planned = written(datetime.now(UTC) + timedelta(minutes=minutes))
    scheduled = {"name": "tick", "planned_at": planned, "due_at": planned, "run": 1} | fields
    return job(job_id, program, trigger={"schedule": scheduled})


async def handled(world: World, body: dict[str, Any], history: History | None = None) -> Settlement:
    world.send(body, history)
    return await world.process().process_one()


def code(world: World, job_id: str) -> str | None:
    error = world.result(job_id).error
    return error.code if error else None


async def test_a_run_in_time_runs_and_its_result_says_of_which_schedule_it_is(world: World) -> None:
    assert await handled(world, run("r1", overlap="skip")) == Complete()
    result = world.result("r1")
    assert result.status == "succeeded"
    assert result.trigger
    assert result.trigger.schedule
    assert (result.trigger.schedule.name, result.trigger.schedule.run) == ("tick", 1)


async def test_a_run_that_comes_too_late_ends_as_cancelled_without_a_session(world: World) -> None:
    late = run("r1", -90, misfire="skip")
    assert await handled(world, late) == Complete()
    assert (world.result("r1").status, code(world, "r1")) == ("cancelled", "misfire_skipped")
    assert world.pool.identifiers == []
    assert [line["id"] for line in world.progress()] == ["r1"]


async def test_a_run_that_was_begun_in_time_is_tried_again_however_late_that_is(world: World) -> None:
    begun = History(attempts=1, copies=1, reasons=("lost",))
    await handled(world, run("r1", -90, misfire="skip"), begun)
    assert world.result("r1").status == "succeeded"


async def test_a_second_copy_of_a_run_is_not_executed(world: World) -> None:
    await handled(world, run("r1"))
    assert await handled(world, run("r1")) == Complete()
    assert len(world.pool.identifiers) == 1


async def test_a_run_waits_for_its_turn_without_an_attempt_and_for_as_long_as_it_takes(world: World) -> None:
    world.send(run("r1", 0, {"seconds": 30}, overlap="queue"))
    first, second = world.process(), world.process()
    running = asyncio.create_task(first.process_one())
    await asyncio.sleep(1)
    waited = History(copies=500)
    world.send(run("r2", 1, overlap="queue"), waited)
    settlement = await second.process_one()
    assert isinstance(settlement, Retry)
    assert settlement.history.copies == 501
    assert (settlement.history.attempts, settlement.history.reasons) == (0, ())
    await running
    assert await second.drain() == 0
    assert [world.result(job_id).status for job_id in ("r1", "r2")] == ["succeeded", "succeeded"]


async def test_a_run_that_waits_for_its_turn_and_is_cancelled_ends_at_once(world: World) -> None:
    world.send(run("r1", 0, {"seconds": 30}, overlap="queue"))
    first, second = world.process(), world.process()
    running = asyncio.create_task(first.process_one())
    await asyncio.sleep(1)
    await mark(second.blobs, "results/_cancelled/default/r2")
    await second.cancellations._look()
    world.send(run("r2", 1, overlap="queue"))
    assert await second.process_one() == Complete()
    assert (world.result("r2").status, code(world, "r2")) == ("cancelled", "cancelled")
    await running


async def test_a_run_is_skipped_beside_another_and_says_so(world: World) -> None:
    world.send(run("r1", 0, {"seconds": 30}, overlap="skip"))
    first = world.process()
    running = asyncio.create_task(first.process_one())
    await asyncio.sleep(1)
    await handled(world, run("r2", 1, overlap="skip"))
    assert (world.result("r2").status, code(world, "r2")) == ("cancelled", "overlap_skipped")
    await running
    assert world.result("r1").status == "succeeded"


async def test_what_a_message_says_of_its_schedule_is_checked(world: World) -> None:
    mistakes: list[dict[str, Any]] = [{"planned_at": "soon"}, {"name": "../x"}, {"misfire_window_seconds": 0}]
    for number, wrong in enumerate(mistakes):
        job_id = f"r{number}"
        settlement = await handled(world, run(job_id, 0, None, **wrong))
        assert isinstance(settlement, DeadLetter)
        assert (world.result(job_id).status, code(world, job_id)) == ("rejected", "invalid_job")


async def test_a_run_that_somebody_wants_again_is_not_too_late(world: World) -> None:
    await handled(world, run("r1", -90, misfire="skip"))
    etag = world.account.find("results/default/r1/result.json").etag
    await handled(world, run("r1", -90, misfire="skip"), History(copies=1, replaces=etag))
    assert world.result("r1").status == "succeeded"
