"""Jobs and what follows them, with workers that end at any step."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.core.fake_dead_letters import FakeBrowser, bury
from tests.unit.core.fake_queue import Sent
from tests.unit.core.recorded_account import RecordedAccount
from tests.unit.core.test_crashes import crashed_at
from tests.unit.core.virtual_time import VirtualLoop
from tests.unit.core.world import Process, World, job
from worker.cancelling import marker
from worker.dead_letters import Recorder, Sweeper
from worker.faults import ConfigurationFault
from worker.local.broker.duplicates import DuplicateWindow
from worker.local.broker.values import DeadLetter as Grave

if TYPE_CHECKING:
    from tests.unit.core.points import Points

ALL = {"j1", "j1.each.0", "j1.each.1", "j1.each.join", "j1.each.join.last"}


def code(stdout: str = "", **program: Any) -> dict[str, Any]:  # noqa: ANN401 - a program of the fake pool
    return {"code": {"inline": json.dumps({"stdout": stdout, **program})}}


def fanning(stdout: str = "[1, 2]", **fields: Any) -> dict[str, Any]:  # noqa: ANN401 - a job's
    """A job with a fan-out that is joined, and a step after the join."""
    join = {**code("sum"), "stdin": {"from": "results"}, "then": [{"name": "last", "job": code("end")}]}
    each = {"name": "each", "each": "result.output", "job": {**code("7"), "args": ["${to_string(item)}"]}}
    return job("j1", {"stdout": stdout}, then=[{**each, "join": join}], **fields)


def runs(world: World) -> Counter[str]:
    """How often jobs with each output ran."""
    return Counter(each.program.get("stdout", "") for each in world.pool.executed)


async def test_a_chain_runs_to_its_end_and_each_result_says_what_followed(world: World) -> None:
    world.queue.duplicates = DuplicateWindow(600)
    world.send(fanning())
    await world.process().drain()
    assert set(world.results()) == ALL
    assert runs(world) == {"[1, 2]": 1, "7": 2, "sum": 1, "end": 1}
    (each,) = world.result("j1").then
    assert (each.join, each.started, each.error) == ("default/j1.each.join", True, None)
    last = world.result("j1.each.join.last").trigger
    assert last
    assert last.step
    assert (last.depth, last.step.root) == (3, "default/j1")


async def steps_of() -> int:
    world = World()
    process = world.process(max_sessions=1, lookahead=0)
    world.send(fanning())
    await process.drain()
    await world.check()
    return process.calls.steps


async def test_a_crash_at_any_step_leaves_each_job_of_a_chain_with_one_result(points: Points) -> None:
    for step in points.of(await steps_of()):
        world = World()
        account = world.account = RecordedAccount()
        process = world.process(max_sessions=1, lookahead=0)
        world.send(fanning())
        await crashed_at(step, world, process)
        assert await world.process(lookahead=0).drain() == 0
        assert set(world.results()) == ALL, f"crashed at step {step}"
        assert {len(commits) for commits in account.commits.values()} == {1}
        await world.check()
    VirtualLoop.unhandled_of_running().clear()


async def test_two_workers_that_see_the_end_of_a_fan_out_at_once_make_one_join(world: World) -> None:
    world.queue.duplicates = DuplicateWindow(600)
    world.send(fanning())
    first, second = world.process(max_sessions=1), world.process(max_sessions=1)
    await first.process_one()
    slots = [process.take() for process in (first, second)]
    deliveries = [await slot for slot in slots]
    settlements = [
        await process.processor.process(delivery)
        for process, delivery in zip((first, second), deliveries, strict=True)
    ]
    for process, delivery, settlement in zip((first, second), deliveries, settlements, strict=True):
        await process.receiver().settle(delivery, settlement)
    await first.drain()
    assert set(world.results()) == ALL
    assert runs(world)["sum"] == 1


async def test_a_dead_letter_is_an_end_like_any_other(world: World) -> None:
    world.send(fanning())
    process = world.process()
    await process.process_one()
    await process.process_one()
    bury_next(world)
    await sweeper(world, process).sweep()
    await process.drain()
    assert world.result("j1.each.1").status == "infrastructure_failed"
    assert set(world.results()) == ALL


async def test_what_a_sweeper_did_not_get_to_send_another_sends(world: World) -> None:
    alarm = {"name": "alarm", "on": "failed", "job": code("alarm")}
    bury(world.queue, Sent(json.dumps(job("j1", then=[alarm])).encode(), "j1"))
    first, second = world.process(), world.process()
    first.calls.fail("send_children", ConfigurationFault("refused", "give it the role"))
    with pytest.raises(ConfigurationFault):
        await sweeper(world, first).sweep()
    assert world.results() == ["j1"]
    await sweeper(world, second).sweep()
    await second.drain()
    assert set(world.results()) == {"j1", "j1.alarm"}


async def test_a_cancelled_job_counts_in_its_fan_out(
    world: World,
) -> None:
    world.send(fanning())
    process = world.process()
    await process.process_one()
    world.account.write(marker("results", "default", "j1.each.0"), b"")
    await process.cancellations._look()
    await process.drain()
    assert world.result("j1.each.0").status == "cancelled"
    assert set(world.results()) == ALL


async def test_a_job_that_comes_after_too_many_is_rejected_and_nothing_follows_it(world: World) -> None:
    after = {"name": "after", "on": "ended", "job": code()}
    world.send(job("deep", trigger={"depth": 4}, then=[after]))
    world.send(job("fine", trigger={"depth": 3}))
    await world.process(max_chain_depth=3).drain()
    error = world.result("deep").error
    assert error
    assert (error.code, error.field) == ("chain_too_deep", "trigger.depth")
    assert (world.result("fine").status, set(world.results())) == ("succeeded", {"deep", "fine"})


async def test_a_job_that_could_not_be_made_has_a_result_that_says_why(world: World) -> None:
    alarm = {"name": "alarm", "on": "failed", "job": code("alarm")}
    made = {**code(), "args": ["${result.output.name}"], "then": [alarm]}
    world.send(job("j1", {"stdout": "{}"}, then=[{"name": "next", "job": made}]))
    await world.process().drain()
    error = world.result("j1.next").error
    assert error
    assert (error.code, error.field) == ("template_value_missing", "args.0")
    assert world.result("j1.next.alarm").status == "succeeded"
    assert [reason for reason, _ in world.queue.dead] == ["template_value_missing"]


async def test_an_invalid_job_of_a_fan_out_is_an_end_as_well(world: World) -> None:
    world.send(fanning(stdout='["a", {"b": 1}]'))
    await world.process().drain()
    assert set(world.results()) == ALL


def bury_next(world: World) -> None:
    """Make a dead letter of the message that is next."""
    message = world.queue.acquire()
    assert message
    assert message.token
    world.queue.rules.dead_letter(message.token, world.queue.advance(), Grave("TTLExpiredException", ""))


def sweeper(world: World, process: Process) -> Sweeper:
    return Sweeper(FakeBrowser(world.queue, process.calls), Recorder(process.services.endings, "here"))
