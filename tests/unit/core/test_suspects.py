"""Jobs that workers died with run alone, and are given up when more workers die with them."""

import asyncio

import pytest

from tests.unit.core.test_crashes import crashed_at
from tests.unit.core.virtual_time import VirtualLoop
from tests.unit.core.world import World, job
from worker.faults import InfrastructureFault
from worker.settlement import DeadLetter, HandBack
from worker.suspects import DELIVERIES_BEFORE_SUSPICION, Company

alone = pytest.mark.usefixtures("alone")


async def join(company: Company, log: list[str], name: str, *, is_alone: bool, seconds: float = 10) -> None:
    async with company.joined(alone=is_alone):
        log.append(f"+{name}")
        await asyncio.sleep(seconds)
        log.append(f"-{name}")


@alone
async def test_one_that_wants_to_be_alone_waits_for_those_that_run_and_later_ones_wait_for_it() -> None:
    company, log = Company(), list[str]()
    async with asyncio.TaskGroup() as group:
        for name in ("a", "b", "S", "c", "T"):
            group.create_task(join(company, log, name, is_alone=name.isupper()))
            await asyncio.sleep(1)
    assert log[:6] == ["+a", "+b", "-a", "-b", "+S", "-S"]
    for name in ("S", "T"):
        assert log.index(f"-{name}") - log.index(f"+{name}") == 1


@alone
@pytest.mark.parametrize("name", ["a", "S", "c"])
async def test_who_is_cancelled_in_company_or_alone_or_waiting_holds_up_nobody(name: str) -> None:
    company, log = Company(), list[str]()
    tasks = {}
    for other in ("a", "S", "c"):
        tasks[other] = asyncio.create_task(join(company, log, other, is_alone=other.isupper()))
        await asyncio.sleep(1)
    tasks[name].cancel()
    await asyncio.wait(tasks.values())
    await asyncio.wait_for(join(company, log, "last", is_alone=True), 11)
    assert {entry[1:] for entry in log} >= {"a", "S", "c", "last"} - ({name} if name != "a" else set())


async def deliver(world: World, times: int) -> None:
    """Let a message be handed back so often that it is a suspect."""
    process = world.process()
    for _ in range(times):
        await process.receiver().settle(await process.take(), HandBack())


async def test_a_suspect_runs_alone(world: World) -> None:
    world.send(job("suspect", {"seconds": 10}))
    await deliver(world, DELIVERIES_BEFORE_SUSPICION)
    process = world.process()
    for number in range(4):
        world.send(job(f"j{number}", {"seconds": 10}))
    began = asyncio.get_running_loop().time()
    await process.drain()
    assert asyncio.get_running_loop().time() - began >= 30
    assert len(world.results()) == 5


async def test_a_job_that_ends_its_worker_each_time_is_given_up_after_five_and_harms_no_other(
    world: World,
) -> None:
    world.send(job("poison", {"ends_worker": True}))
    for number in range(3):
        world.send(job(f"j{number}", {"seconds": 1}))
    crashes = 0
    while "poison" not in world.results():
        await crashed_at(-1, world, world.process())
        crashes += 1
        assert crashes < 10
    result = world.result("poison")
    assert (result.status, result.error and result.error.code) == ("infrastructure_failed", "lost")
    assert result.deliveries == 6
    await world.process().drain()
    assert {world.result(f"j{number}").status for number in range(3)} == {"succeeded"}
    VirtualLoop.unhandled_of_running().clear()


async def test_a_suspect_that_is_handed_back_in_order_is_not_held_against_it(world: World) -> None:
    world.send(job("j1", {"seconds": 60}))
    await deliver(world, DELIVERIES_BEFORE_SUSPICION)
    for _ in range(4):
        process = world.process(shutdown_grace_seconds=0)
        task = asyncio.create_task(process.drain())
        await asyncio.sleep(5)
        process.stop.set()
        await task
    assert not [name for name in world.account.blobs if "suspect" in name]
    await world.process().drain()
    assert world.result().status == "succeeded"


async def test_a_mark_whose_answer_was_lost_counts_once_and_is_removed(world: World) -> None:
    world.send(job())
    await deliver(world, DELIVERIES_BEFORE_SUSPICION)
    process = world.process()
    process.calls.fail("create", InfrastructureFault("no answer"), after_effect=True)
    await process.drain()
    assert world.result().status == "succeeded"
    assert not isinstance(world.queue.settled[-1][2], DeadLetter)
