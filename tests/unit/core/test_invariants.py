"""The promises of the worker, one test each, all through whole worker processes: read this first."""

import asyncio
import json

import pytest

from tests.unit.core.world import World, job
from worker.faults import ConfigurationFault, ExecutionLost, InfrastructureFault
from worker.settlement import Complete, DeadLetter, Retry


async def test_every_job_that_was_accepted_ends_in_exactly_one_result(world: World) -> None:
    for number in range(20):
        world.send(job(f"j{number}", {"exit_code": number % 3}))
    world.send(job("j7"))
    assert await world.process().drain() == 0
    assert sorted(world.results()) == sorted(f"j{number}" for number in range(20))
    assert {line["id"] for line in world.progress()} == set(world.results())


async def test_who_comes_second_settles_from_the_committed_result_without_running(world: World) -> None:
    world.send(job("j1", {"stdout": "first"}))
    first = world.process()
    first.calls.fail("settle", InfrastructureFault("gone"))
    await first.drain()
    assert world.result().stdout.text == "first"
    assert len(world.pool.identifiers) == 1
    assert [count for _, count, _ in world.queue.settled] == [1]


async def test_a_message_is_completed_only_after_its_result_is_committed(world: World) -> None:
    world.send(job())
    process = world.process()
    await process.drain()
    assert process.calls.made.index("create") < process.calls.made.index("settle")


async def test_sessions_allocated_never_exceed_the_maximum(world: World) -> None:
    for number in range(12):
        world.send(job(f"j{number}", {"seconds": 1 + number % 4}))
    process = world.process(lookahead=8)
    process.calls.fail("release", *[InfrastructureFault("not confirmed")] * 9)
    await process.drain()
    assert (world.pool.peak, world.pool.full) == (2, 0)
    assert len(world.results()) == 12


async def test_a_permit_whose_release_cannot_be_confirmed_stays_out_for_the_cooldown(world: World) -> None:
    process = world.process(max_sessions=1)
    world.pool.max_sessions = 1
    world.send(job("j1"))
    world.send(job("j2"))
    process.calls.fail("release", ConfigurationFault("refused", "Set"))
    await process.drain()
    assert (world.pool.peak, world.pool.full) == (1, 0)
    assert asyncio.get_running_loop().time() > world.pool.cooldown_seconds


@pytest.mark.parametrize("fault", [None, ExecutionLost("no answer"), InfrastructureFault("500")])
async def test_no_session_of_a_fresh_job_serves_two_attempts_and_each_is_deleted(
    world: World, fault: Exception | None
) -> None:
    for number in range(6):
        world.send(job(f"j{number}", {"ended_by": "timeout"} if number == 3 else {}))
    process = world.process()
    process.calls.fail("execute", None, fault, after_effect=True)
    await process.drain()
    attempts = process.calls.made.count("execute")
    assert len(set(world.pool.identifiers)) == attempts == (7 if fault else 6)


@pytest.mark.parametrize(
    "program",
    [
        {"exit_code": 3},
        {"ended_by": "timeout", "exit_code": None},
        {"ended_by": "memory"},
        {"signal": "SIGSEGV", "exit_code": None},
    ],
)
async def test_what_the_program_does_wrong_is_a_result_and_completed_at_once(
    world: World, program: dict[str, object]
) -> None:
    world.send(job("j1", program))
    await world.process().drain()
    assert world.result().status != "succeeded"
    assert [(count, settlement) for _, count, settlement in world.queue.settled] == [(0, Complete())]


async def test_infrastructure_faults_are_tried_again_later_from_a_scheduled_copy(world: World) -> None:
    world.send(job())
    process = world.process()
    process.calls.fail("execute", InfrastructureFault("503"), ExecutionLost("cut"))
    await process.drain()
    kinds = [type(settlement) for _, _, settlement in world.queue.settled]
    assert kinds == [Retry, Retry, Complete]
    assert (world.result().status, world.result().attempts) == ("succeeded", 2)


async def test_a_full_pool_costs_no_attempt(world: World) -> None:
    other = world.pool.use("somebody-else-1"), world.pool.use("somebody-else-2")
    world.send(job())
    running = asyncio.create_task(world.process().drain())
    await asyncio.sleep(200)
    assert world.results() == []
    for session in list(world.pool.sessions):
        world.pool.delete(session)
    await running
    assert other
    assert (world.result().status, world.result().attempts) == ("succeeded", 1)
    assert any(isinstance(settlement, Retry) for _, _, settlement in world.queue.settled)


async def test_nothing_is_only_in_the_dead_letter_queue(world: World) -> None:
    world.send(job("lost", {"outcome": "aborted"}))
    world.send(job("missing", code={"blob": "submissions/no.js"}))
    world.send(b"not JSON")
    await world.process(max_attempts=2).drain()
    assert sorted(str(reason) for reason, _ in world.queue.dead) == [
        "attempts_exhausted",
        "code_not_found",
        "invalid_json",
    ]
    assert sorted(world.results()) == ["lost", "message-3", "missing"]
    error = world.result("lost").error
    assert error is not None
    assert "the platform failed 2 times" in error.message


async def test_expected_answers_never_enter_the_sandbox(world: World) -> None:
    cases = [{"name": "adds", "stdin": "1 2", "expect": {"stdout": "the-expected-answer"}}]
    world.send(job("j1", cases=cases, metadata={"key": "the-expected-answer"}))
    await world.process().drain()
    assert world.pool.received
    assert not any(b"the-expected-answer" in received for received in world.pool.received)


async def test_memory_is_bounded_by_slots_and_not_by_the_queue(world: World) -> None:
    for number in range(50):
        world.send(job(f"j{number}", {"seconds": 10}))
    process = world.process(lookahead=1)
    running = asyncio.create_task(process.drain())
    await asyncio.sleep(5)
    locked = [m for m in world.queue.rules.messages.values() if m.token is not None]
    assert len(locked) == process.settings.slots == 3
    await running


async def test_a_dead_letter_of_a_job_names_the_reason_and_the_field(world: World) -> None:
    world.send(json.dumps(job() | {"limits": {"timeout_seconds": -1}}).encode())
    assert isinstance(await world.process().process_one(), DeadLetter)
    ((reason, description),) = world.queue.dead
    assert reason == "invalid_job"
    assert description is not None
    assert description.startswith("limits.timeout_seconds: ")
