"""Workers in which a batch lets another pass: what the jobs that were moved have to show for it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.unit.core.fake_dead_letters import FakeBrowser
from tests.unit.core.world import Process, World, job
from worker.scout import Scout
from worker.settlement import Retry

if TYPE_CHECKING:
    from worker.lifecycle import Duty


class Scouting(Process):
    """A worker process with a scout."""

    def duties(self) -> list[Duty]:
        return [Scout(FakeBrowser(self._queue, self.calls), "", self.services.shares).run]


def process_of(world: World, **values: object) -> Scouting:
    process = Scouting(world, None, **({"max_sessions": world.pool.max_sessions} | values))
    world.processes.append(process)
    return process


def send(world: World, batch: str, count: int, seconds: float = 5) -> list[str]:
    ids = [f"{batch}-{number}" for number in range(count)]
    for job_id in ids:
        world.send(job(job_id, {"seconds": seconds}, batch=batch))
    return ids


@pytest.mark.parametrize("processes", [1, 3])
async def test_a_small_batch_passes_a_large_one_and_every_job_has_one_result(
    world: World, processes: int
) -> None:
    world.pool.max_sessions *= processes
    send(world, "large", 200)
    small = send(world, "small", 4)
    fleet = [process_of(world, max_sessions=2, lookahead=2) for _ in range(processes)]
    tasks = [asyncio.create_task(process.drain()) for process in fleet]
    await asyncio.sleep(60)
    assert set(small) <= set(world.results())
    assert await asyncio.gather(*tasks) == [0] * processes
    assert len(world.results()) == 204
    moved = [s for _, _, s in world.queue.settled if isinstance(s, Retry)]
    assert 0 < len(moved) <= 200 * processes
    assert all(retry.history.yields and retry.delay == 0 for retry in moved)


async def test_a_result_tells_that_its_message_came_twice_and_of_no_fault(world: World) -> None:
    send(world, "large", 40)
    send(world, "small", 1)
    assert await process_of(world, lookahead=2).drain() == 0
    results = [world.result(f"large-{number}", "large") for number in range(40)]
    assert {result.attempts for result in results} == {1}
    assert {result.faults for result in results} == {()}
    assert max(result.deliveries for result in results) == 2


async def test_without_another_batch_and_without_a_look_ahead_no_message_is_moved(world: World) -> None:
    send(world, "large", 40)
    assert await process_of(world, lookahead=2).drain() == 0
    send(world, "larger", 40)
    send(world, "small", 1)
    assert await process_of(world, lookahead=2, fair_lookahead=0).drain() == 0
    assert not any(isinstance(settlement, Retry) for _, _, settlement in world.queue.settled)
