"""Events become jobs and results; whatever happens on the way, none is lost."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.core.fake_queue import Sent
from tests.unit.core.test_crashes import crashed_at, fail_deliveries, results_of
from tests.unit.core.virtual_time import VirtualLoop
from tests.unit.core.world import World
from tests.unit.events.samples import cloud_event, grid_event, sample
from worker.envelope import Envelope
from worker.events import events_in
from worker.faults import InfrastructureFault
from worker.fitting import MAX_MESSAGE_BYTES
from worker.planning import job_id
from worker.routes_file import parse_routes
from worker.settlement import Complete, DeadLetter, History, Retry

if TYPE_CHECKING:
    from structlog.typing import EventDict

    from tests.unit.core.points import Points
    from tests.unit.core.world import Process

ROUTES = """
version: 1
routes:
  - name: orders
    match: {type: order.*}
    job: {code: {inline: "{}"}, args: ["${event.data.sum}!"]}
    stdin: event
  - {name: large, match: {data: {"sum > `100`": true}}, job: {code: {inline: "{}"}}, file: event.json}
  - {name: named, match: {type: named}, job: {code: {inline: "{}"}, args: ["${event.data.none}"]}}
unmatched: %s
"""


@pytest.fixture
def routed(world: World) -> World:
    world.routes = parse_routes((ROUTES % "complete").encode())
    return world


def send(world: World, *events: dict[str, Any]) -> int:
    return world.queue.send(Sent(json.dumps(events).encode(), "an event's own id"))


def ids(world: World) -> list[str]:
    return sorted(job_id.rpartition("-")[0] for job_id in world.results())


async def test_an_event_becomes_the_jobs_of_all_routes_that_take_it(routed: World) -> None:
    send(routed, cloud_event(data={"sum": 700}), grid_event(id="g2", data={"sum": 7}))
    assert await routed.process().drain() == 0
    assert ids(routed) == ["large", "orders", "orders"]
    assert routed.queue.dead == []
    result = routed.result(next(each for each in routed.results() if each.startswith("large")), "large")
    assert result.trigger
    assert result.trigger.event
    assert (result.trigger.event.id, result.trigger.event.route, result.trigger.depth) == ("e1", "large", 1)
    assert [line["id"] for line in routed.progress("large")] == [result.id]


async def test_a_binary_event_is_routed_too(routed: World) -> None:
    attributes = {"specversion": "1.0", "id": "e1", "source": "/orders", "type": "order.placed"}
    envelope = Envelope("application/json", attributes)
    routed.queue.send(Sent(b'{"sum": 1, "id": "j1", "version": 1}', "m", envelope=envelope))
    assert await routed.process().drain() == 0
    assert ids(routed) == ["orders"]


async def test_an_event_that_comes_twice_runs_once(routed: World) -> None:
    send(routed, cloud_event(), cloud_event())
    process = routed.process()
    await process.drain()
    send(routed, cloud_event())
    await routed.process().drain()
    assert len(process.job_queues.sent) == 1
    assert routed.processes[1].job_queues.sent == []
    assert len(routed.pool.identifiers) == 1


async def test_a_delivery_that_ends_anywhere_is_made_good_by_the_next(routed: World) -> None:
    for failing in ("metadata", "send", "settle"):
        event = cloud_event(id=failing)
        send(routed, event)
        process = routed.process()
        process.calls.fail(failing, InfrastructureFault("gone"), after_effect=True)
        await process.drain()
    assert ids(routed) == ["orders"] * 3
    assert len(routed.pool.identifiers) == 3, "a job ran twice"


async def test_an_event_that_no_route_takes_is_completed_and_told(
    routed: World, quiet: list[EventDict]
) -> None:
    send(routed, cloud_event(type="t" * 2000), cloud_event(type="other", subject="s"))
    assert await routed.process().process_one() == Complete()
    told = [event for event in quiet if event["event"] == "event_unmatched"]
    assert [(event["type"], event["subject"], event["count"]) for event in told] == [
        ("t" * 200, "", 1),
        ("other", "s", 2),
    ]
    assert routed.results() == []


async def test_an_event_that_no_route_takes_is_dead_lettered_where_that_is_wanted(world: World) -> None:
    world.routes = parse_routes((ROUTES % "dead_letter").encode())
    number = send(world, cloud_event(), cloud_event(type="other", id="e2"))
    await world.process().drain()
    assert world.queue.dead == [("event_unmatched", "no route takes the event e2 of the type other")]
    error = world.result(f"event-{number}").error
    assert error
    assert error.code == "event_unmatched"
    assert "orders" in ids(world), "the other event became no job"


@pytest.mark.parametrize("with_routes", [True, False])
async def test_an_event_about_a_result_makes_nothing_that_could_make_another(
    world: World, quiet: list[EventDict], *, with_routes: bool
) -> None:
    if with_routes:
        world.routes = parse_routes((ROUTES % "dead_letter").replace("order.*", "'*'").encode())
    send(world, *sample("Event Grid", "results/b/j1/result.json"), *sample("CloudEvents", "results/b/a./x"))
    assert await world.process().process_one() == Complete()
    assert world.account.blobs == {}
    assert [event["count"] for event in quiet if event["event"] == "events_of_results_passed_over"] == [2]


async def test_a_worker_without_routes_says_so(world: World) -> None:
    number = send(world, *sample("Event Grid"))
    settlement = await world.process().process_one()
    assert isinstance(settlement, DeadLetter)
    assert settlement.reason == "no_routes"
    assert "JSWORKER_ROUTES" in settlement.description
    assert world.result(f"event-{number}").status == "rejected"


async def test_an_unusable_event_has_a_result_of_its_message(routed: World) -> None:
    number = send(routed, cloud_event(source=7))
    assert await routed.process().process_one() == DeadLetter("invalid_event", "0.source: is not text")
    error = routed.result(f"event-{number}").error
    assert error
    assert error.field == "0.source"


async def test_a_template_that_cannot_be_filled_leaves_a_result_where_the_jobs_would_have_been(
    routed: World,
) -> None:
    number = send(routed, cloud_event(type="named"), cloud_event(id="e2"))
    await routed.process().drain()
    assert ids(routed) == ["event", "named", "orders"]
    named = routed.result(next(each for each in routed.results() if each.startswith("named")), "named")
    assert named.status == "rejected"
    assert named.error
    assert (named.error.code, named.error.field) == ("template_value_missing", "args.0")
    assert named.trigger
    assert named.trigger.event
    ((reason, description),) = routed.queue.dead
    assert reason == "template_value_missing"
    assert f"named/{named.id}" in str(description)
    assert routed.result(f"event-{number}").status == "rejected"


async def test_a_replay_makes_anew_what_was_refused_once_the_routes_are_right(routed: World) -> None:
    events = [cloud_event(type="named"), cloud_event(id="e2")]
    number = send(routed, *events)
    await routed.process().drain()
    mended = (ROUTES % "complete").replace("event.data.none", "event.id")
    routed.routes = parse_routes(mended.encode())
    etag = routed.account.find(f"results/default/event-{number}/result.json").etag
    routed.queue.send(
        Sent(json.dumps(events).encode(), "m.d1", History(copies=1, origin=number, replaces=etag))
    )
    process = routed.process()
    await process.drain()
    assert [message.message_id.partition("/")[0] for message in process.job_queues.sent] == ["named"]
    named = next(each for each in routed.results() if each.startswith("named"))
    assert routed.result(named, "named").status == "succeeded"


async def test_an_event_of_a_megabyte_goes_to_a_blob_and_its_job_runs(routed: World) -> None:
    event = cloud_event(data={"sum": 700, "text": "x" * (900 << 10)})
    send(routed, event)
    process = routed.process()
    process.calls.fail("send", InfrastructureFault("gone"), after_effect=False)
    assert isinstance(await process.process_one(), Retry)
    assert await process.drain() == 0
    assert ids(routed) == ["large", "orders"]
    (blob,) = [name for name in routed.account.blobs if name.startswith("inputs/large/")]
    assert json.loads(routed.account.find(blob).data) == event
    assert all(len(message.body) < MAX_MESSAGE_BYTES for message in process.job_queues.sent)
    assert {routed.result(each, each.rpartition("-")[0]).status for each in routed.results()} == {"succeeded"}


async def test_an_event_that_ends_its_worker_each_time_is_given_up(routed: World) -> None:
    number = send(routed, cloud_event())
    fail_deliveries(routed, 8)
    process = routed.process(max_attempts=1)
    assert isinstance(await process.process_one(), Retry)
    await process.drain()
    result = routed.result(f"event-{number}")
    assert result.status == "infrastructure_failed"
    assert ids(routed) == ["event"]


def test_ids_are_the_same_for_ever() -> None:
    """Events are delivered again after an upgrade, too."""
    (event,) = events_in(cloud_event(), 1)
    assert job_id("orders", event) == "orders-57076c52d9ffe157fe6a"


async def test_a_crash_at_any_step_loses_no_job_of_an_event_and_ends_in_one_result_of_each(
    points: Points,
) -> None:
    events = [cloud_event(data={"sum": 700}), cloud_event(id="e2", type="named")]
    for step in points.of(await steps_of(*events)):
        world, process = prepared(*events)
        await crashed_at(step, world, process)
        committed = results_of(world)
        assert await world.process(lookahead=0).drain() == 0
        assert ids(world) == ["event", "large", "named", "orders"], f"crashed at step {step}"
        assert committed.items() <= results_of(world).items()
        assert len(world.queue.dead) == 1
        await world.check()
    VirtualLoop.unhandled_of_running().clear()


def prepared(*events: dict[str, Any]) -> tuple[World, Process]:
    world = World()
    world.routes = parse_routes((ROUTES % "complete").encode())
    process = world.process(max_sessions=1, lookahead=0)
    send(world, *events)
    return world, process


async def steps_of(*events: dict[str, Any]) -> int:
    world, process = prepared(*events)
    await process.drain()
    await world.check()
    return process.calls.steps
