"""Events of jobs and batches that have ended, with workers that end at any step."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker

from tests.unit.core.fake_dead_letters import FakeBrowser, bury
from tests.unit.core.fake_queue import Sent
from tests.unit.core.recorded_account import RecordedAccount
from tests.unit.core.test_crashes import crashed_at
from tests.unit.core.virtual_time import VirtualLoop
from tests.unit.core.world import Process, World, job
from worker.batch import Entry, Folder, register
from worker.cancelling import marker
from worker.completion import complete, read_completion
from worker.dead_letters import Recorder, Sweeper
from worker.destinations import Destination, parse_destinations
from worker.faults import ConfigurationFault, InfrastructureFault
from worker.outbox import REST_SECONDS, Outbox, Sending
from worker.parcels import Parcel, Record

if TYPE_CHECKING:
    from tests.unit.core.points import Points

TO = {"events_to": parse_destinations("topic:events")}
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
TEXT = {"type": "string", "minLength": 1}
CLOUD_EVENT = {  # the essentials of the specification's own schema
    "type": "object",
    "required": ["specversion", "id", "source", "type"],
    "properties": {
        "specversion": {"const": "1.0"},
        "id": TEXT,
        "source": {**TEXT, "format": "uri-reference"},
        "type": TEXT,
        "subject": TEXT,
        "time": {**TEXT, "format": "date-time"},
        "datacontenttype": TEXT,
        "data": {"type": "object"},
    },
    "propertyNames": {"pattern": "^[a-z0-9]{1,20}$"},
}


def events(world: World) -> list[dict[str, Any]]:
    return [json.loads(parcel.body) for parcel in world.queue.posted]


def outbox_of(process: Process) -> Outbox:
    return process.services.endings.outbox


def left(world: World) -> list[str]:
    return [name for name in world.account.blobs if name.startswith("results/_outbox/")]


async def test_the_end_of_a_job_is_told_in_a_cloud_event(world: World) -> None:
    world.queue.send(
        Sent(json.dumps(job(metadata={"a": 1})).encode(), "m", properties={"traceparent": PARENT})
    )
    await world.process(**TO).drain()
    (parcel,), (event,) = world.queue.posted, events(world)
    Draft202012Validator(CLOUD_EVENT, format_checker=FormatChecker()).validate(event)
    assert parcel.destination == Destination(topic="events")
    assert (parcel.message_id, parcel.subject, parcel.content_type) == (
        event["id"],
        "io.jsworker.job.completed",
        "application/cloudevents+json",
    )
    assert parcel.properties["status"] == "succeeded"
    data = event["data"]
    assert (data["id"], data["status"], data["metadata"]) == ("j1", "succeeded", {"a": 1})
    assert data["result_blob"] == "results/default/j1/result.json"
    assert left(world) == []


async def test_a_trace_goes_from_the_message_through_the_result_into_the_event(world: World) -> None:
    world.queue.send(Sent(json.dumps(job()).encode(), "m", properties={"traceparent": PARENT}))
    await world.process(**TO).drain()
    own = world.result().trace
    assert own
    assert own.traceparent != PARENT
    assert own.traceparent.split("-")[1] == PARENT.split("-")[1]
    assert events(world)[0]["traceparent"] == own.traceparent
    assert world.queue.posted[0].properties["traceparent"] == own.traceparent


async def test_a_job_names_who_is_to_be_told_beside_those_of_the_settings(world: World) -> None:
    world.send(job(reply_to=[{"queue": "done"}, {"topic": "Events"}]))
    await world.process(**TO, event_destinations=parse_destinations("queue:done")).drain()
    assert [one.destination.name for one in world.queue.posted] == ["events", "done"]


async def test_nobody_is_told_and_nothing_kept_unless_somebody_asks(world: World) -> None:
    world.send(job())
    process = world.process()
    await process.drain()
    assert world.queue.posted == []
    assert not any(name.startswith("results/_outbox/") for name in world.account.blobs)


@pytest.mark.parametrize(
    ("reply_to", "code"),
    [
        ({"queue": "other"}, "destination_not_allowed"),
        ({"topic": "jobs"}, "destination_not_allowed"),
        ({"webhook": "https://hooks.example/x"}, "webhook_not_allowed"),
        ({"queue": "a", "topic": "b"}, "invalid_job"),
        ([{"queue": "done"}, {"queue": "DONE"}], "invalid_job"),
    ],
)
async def test_a_destination_that_is_not_allowed_rejects_the_job(
    world: World, reply_to: object, code: str
) -> None:
    world.send(job(reply_to=reply_to))
    await world.process(**TO).drain()
    error = world.result().error
    assert error
    assert error.code == code
    assert (error.field or "").startswith("reply_to")
    (event,) = events(world)
    assert (event["data"]["status"], event["data"]["error"]["code"]) == ("rejected", code)


async def test_a_cancelled_job_is_told_of_too(world: World) -> None:
    world.account.write(marker("results", "default", "j1"), b"")
    world.send(job())
    process = world.process(**TO)
    await process.cancellations._look()
    await process.drain()
    assert [event["data"]["status"] for event in events(world)] == ["cancelled"]


async def test_a_dead_letter_is_told_of_when_it_gets_its_result(world: World) -> None:
    body = json.dumps(job(reply_to={"topic": "events"})).encode()
    bury(world.queue, Sent(body, "m"), "TTLExpiredException")
    process = world.process(**TO)
    await Sweeper(FakeBrowser(world.queue, process.calls), Recorder(process.services.endings, "x")).sweep()
    assert [event["data"]["status"] for event in events(world)] == ["infrastructure_failed"]


async def test_a_destination_that_fails_keeps_no_job_waiting_and_gets_its_event_later(world: World) -> None:
    process = world.process(**TO)
    process.calls.fail("post", ConfigurationFault("no topic", "Create it"), InfrastructureFault("down"))
    world.send(job())
    await process.drain()
    assert world.queue.left == []
    assert len(left(world)) == 1
    await outbox_of(process).look()  # it rests
    await asyncio.sleep(REST_SECONDS)
    await outbox_of(process).look()
    assert world.queue.posted == []
    await asyncio.sleep(REST_SECONDS)
    await outbox_of(process).look()
    assert len(events(world)) == 1
    assert left(world) == []


async def test_while_one_destination_fails_the_others_get_an_event_once(world: World) -> None:
    process = world.process(events_to=parse_destinations("queue:down,queue:done"))
    process.calls.fail("post", *[InfrastructureFault("down"), None] + [InfrastructureFault("down")] * 3)
    world.send(job())
    await process.drain()
    for _ in range(3):
        await asyncio.sleep(REST_SECONDS)
        await outbox_of(process).look()
    assert [one.destination.name for one in world.queue.posted] == ["done"]
    await asyncio.sleep(REST_SECONDS)
    await outbox_of(process).look()
    assert [one.destination.name for one in world.queue.posted] == ["done", "down"]
    assert left(world) == []


async def test_whatever_is_wrong_with_an_event_its_job_has_ended(world: World) -> None:
    process = world.process(**TO)
    process.calls.fail("post", ValueError("nobody foresaw this"))
    world.send(job())
    await process.drain()
    assert world.queue.left == []
    assert world.result().attempts == 1
    assert len(left(world)) == 1


async def test_a_result_that_nobody_can_read_keeps_no_other_record_waiting(world: World) -> None:
    process = world.process(**TO)
    world.account.write("results/hw1/_batch/complete.json", b"{")
    await outbox_of(process).put(Record("hw1", None, "m1"))
    process.calls.fail("post", InfrastructureFault("down"))
    world.send(job())
    await process.drain()
    await asyncio.sleep(REST_SECONDS)
    await outbox_of(process).look()
    assert len(events(world)) == 1


async def steps_of() -> int:
    world = World()
    process = world.process(max_sessions=1, lookahead=0, **TO)
    world.send(job())
    await process.drain()
    await world.check()
    return process.calls.steps


async def test_a_crash_at_any_step_loses_no_event_and_tells_of_nothing_that_did_not_become(
    points: Points,
) -> None:
    for step in points.of(await steps_of()):
        world = World()
        world.account = RecordedAccount()
        process = world.process(max_sessions=1, lookahead=0, **TO)
        world.send(job())
        await crashed_at(step, world, process)
        other = world.process(lookahead=0, **TO)
        assert await other.drain() == 0
        await outbox_of(other).look()
        attempt = world.account.find("results/default/j1/result.json").metadata["attempt"]
        assert {event["id"] for event in events(world)} == {f"default/j1/{attempt}"}, (
            f"crashed at step {step}"
        )
        assert left(world) == []
        await world.check()
    VirtualLoop.unhandled_of_running().clear()


async def test_that_a_batch_is_complete_is_told_once_whoever_puts_it_on_record(world: World) -> None:
    folder, process = Folder("results", "hw1"), world.process(**TO)
    await register(process.blobs, folder, [Entry("j1", "0")])
    world.send(job(batch="hw1"))
    await process.drain()
    assert await complete(process.blobs, folder)  # a command, which sends nothing
    assert not await complete(process.blobs, folder)
    await outbox_of(process).look()
    record = await read_completion(process.blobs, folder)
    assert record
    (event,) = [one for one in events(world) if one["type"] == "io.jsworker.batch.completed"]
    Draft202012Validator(CLOUD_EVENT, format_checker=FormatChecker()).validate(event)
    assert event["id"] == f"hw1/complete/{record['mark']}"
    assert (event["data"]["jobs"], event["data"]["statuses"]) == (1, {"succeeded": 1})
    assert left(world) == []


async def test_of_a_batch_that_two_complete_at_once_one_is_told_of(world: World) -> None:
    folder, process = Folder("results", "hw1"), world.process(**TO)
    await register(process.blobs, folder, [Entry("j1", "0")])
    world.send(job(batch="hw1"))
    await process.drain()
    await outbox_of(process).put(Record("hw1", None, "of-the-one-that-was-late"))
    await complete(process.blobs, folder)
    await outbox_of(process).look()
    assert sum(one["type"] == "io.jsworker.batch.completed" for one in events(world)) == 1
    assert left(world) == []


async def test_a_record_that_somebody_made_up_harms_nothing(world: World) -> None:
    process = world.process(**TO)
    for name, data in {"x": b"{", "a/b/c": b"[]", "a/b/d": b'{"parcels": [{"to": 1}]}'}.items():
        await process.blobs.create(f"results/_outbox/{name}.json", data)
    world.send(job())
    await process.drain()
    await outbox_of(process).look()
    assert len(events(world)) == 1


async def test_a_record_whose_job_has_not_ended_waits(world: World) -> None:
    process = world.process(**TO)
    outbox = Outbox(process.blobs, "results", Sending(_Refusing(), process.services.endings.announcements))
    await outbox.put(Record("default", "j1", "a1", (Parcel(Destination(queue="q"), "m", "{}"),)))
    await outbox.look()
    assert len(left(world)) == 1


async def test_a_record_stays_while_its_result_may_still_replace_the_one_that_stands(world: World) -> None:
    world.send(job())
    process = world.process(**TO)
    await process.drain()
    etag = world.account.find("results/default/j1/result.json").etag
    for replaces in (etag, "another"):
        await outbox_of(process).put(Record("default", "j1", f"replay-{replaces[-3:]}", (), replaces))
    await outbox_of(process).look()
    assert left(world) == [f"results/_outbox/default/j1/replay-{etag[-3:]}.json"]


class _Refusing:
    async def post(self, parcel: Parcel) -> None:
        raise AssertionError(f"{parcel} was sent")


async def test_an_event_about_an_event_ends_after_as_many_as_a_chain_may_have(world: World) -> None:
    cloud_event = {"specversion": "1.0", "id": "e", "source": "/x", "type": "t", "jsworkerdepth": 15}
    world.send(cloud_event)
    process = world.process(**TO)
    for _ in range(4):  # each comes back, as by a topic that the worker takes jobs from
        await process.drain()
        process.stop.clear()
        for parcel in world.queue.posted:
            world.queue.send(Sent(parcel.body.encode(), parcel.message_id))
        world.queue.posted.clear()
    assert world.results() == ["event-1", "event-2"]
