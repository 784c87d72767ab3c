"""A worker that takes jobs from several queues: by weight, none shut out, and none stops the others."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.core.fake_queue import FakeReceiver, Queue, Sent
from tests.unit.core.world import Process, World, job
from worker.breaker import Breaker
from worker.faults import ConfigurationFault, InfrastructureFault
from worker.lane import Lane
from worker.lanes import Lanes
from worker.lifecycle import Worker
from worker.several_queues import SeveralQueues

if TYPE_CHECKING:
    import structlog

    from worker.delivery import Delivery

NO_QUEUE = ConfigurationFault("there is no queue", "Create it")


class NamedReceiver(FakeReceiver):
    """Of one of several queues, which may not exist; notes what is asked of each."""

    def __init__(self, street: Street, name: str) -> None:
        super().__init__(street.queues[name], street.process.calls)
        self.street, self.name = street, name
        street.links[name] += 1

    async def receive(self) -> Delivery | None:
        self.street.tries[self.name] += 1
        if self.name in self.street.missing:
            await asyncio.sleep(1)
            raise NO_QUEUE
        delivery = await super().receive()
        if delivery:
            self.street.taken.append(self.name)
        return delivery

    async def is_queue_empty(self) -> bool:
        self.street.looks[self.name] += 1
        if self.name in self.street.missing:
            raise NO_QUEUE
        return await super().is_queue_empty()


class Street:
    """A worker with several queues."""

    def __init__(self, world: World, weights: dict[str, int], **values: object) -> None:
        self.process: Process = world.process(**values)
        self.queues = {name: Queue() for name in weights}
        lanes, vitals = [Lane(name, weight) for name, weight in weights.items()], self.process.vitals
        self.lanes = Lanes(lanes, [Breaker(name, vitals, failures=1, parties=1) for name in weights])
        self.taken: list[str] = []
        self.missing: set[str] = set()
        self.links, self.tries, self.looks = Counter[str](), Counter[str](), Counter[str]()
        services, permits = self.process.services, self.process.permits
        self.worker = Worker(services, permits, self.process.processor, self.receiver)

    def receiver(self) -> SeveralQueues:
        return SeveralQueues(self.lanes, [partial(NamedReceiver, self, name) for name in self.queues])

    def send(self, name: str, count: int, seconds: float = 1) -> list[str]:
        ids = [f"{name}{len(self.queues[name].sent) + number}" for number in range(count)]
        for job_id in ids:
            self.queues[name].send(Sent(_body(job(job_id, {"seconds": seconds})), job_id))
        return ids

    async def drain(self) -> int:
        return await self.worker.run(self.process.stop, drain=True)

    @property
    def left(self) -> int:
        return sum(len(queue.left) for queue in self.queues.values())


def now() -> float:
    return asyncio.get_running_loop().time()


async def test_two_full_queues_are_served_by_their_weights(world: World) -> None:
    street = Street(world, {"urgent": 4, "jobs": 1}, max_sessions=2)
    street.send("urgent", 200)
    street.send("jobs", 200)
    task = asyncio.create_task(street.drain())
    await asyncio.sleep(60)
    assert len(street.taken) > 100
    counts = Counter(street.taken[:100])
    assert abs(counts["urgent"] - 80) <= 2
    assert await task == 0
    assert (street.left, len(world.results())) == (0, 400)


async def test_an_empty_queue_of_a_great_weight_costs_the_others_nothing(world: World) -> None:
    alone = Street(world, {"jobs": 1}, max_sessions=2)
    alone.send("jobs", 60)
    began = now()
    assert await alone.drain() == 0
    took, began = now() - began, now()
    street = Street(world, {"urgent": 100, "jobs": 1}, max_sessions=2)
    street.send("jobs", 60)
    assert await street.drain() == 0
    assert now() - began < took + 10, "but for the last look whether all is empty"
    assert street.tries["urgent"] <= 6
    assert street.looks["urgent"] <= took + 10


async def test_what_comes_into_a_quiet_queue_does_not_wait_for_those_in_the_others(world: World) -> None:
    street = Street(world, {"jobs": 4, "urgent": 1}, max_sessions=2)
    street.send("jobs", 500)
    task = asyncio.create_task(street.drain())
    await asyncio.sleep(50.3)
    (job_id,) = street.send("urgent", 1)
    await asyncio.sleep(8)
    assert job_id in world.results()
    assert await task == 0


async def test_a_single_slot_serves_all_queues(world: World) -> None:
    street = Street(world, {"a": 2, "b": 1, "c": 1}, max_sessions=1, lookahead=0)
    for name in street.queues:
        street.send(name, 20)
    assert await street.drain() == 0
    assert Counter(street.taken) == {"a": 20, "b": 20, "c": 20}
    first = Counter(street.taken[:24])
    assert min(first.values()) >= 4
    assert max(street.links.values()) == 1


async def test_a_queue_that_does_not_exist_is_told_clearly_and_stops_no_other(
    world: World, quiet: list[structlog.typing.EventDict]
) -> None:
    street = Street(world, {"urgnet": 100, "jobs": 1}, max_sessions=2)
    street.missing.add("urgnet")
    street.send("jobs", 100)
    task = asyncio.create_task(street.drain())
    await asyncio.sleep(65)
    assert len(world.results()) == 100
    assert street.tries["urgnet"] < 20
    assert "urgnet: there is no queue. Create it" in street.process.vitals.ready()
    told = [event for event in quiet if event["event"] == "queue_unavailable"]
    assert {event["queue"] for event in told} == {"urgnet"}
    street.missing.clear()
    (job_id,) = street.send("urgnet", 1)
    assert await task == 0, "it drains when all of them could be asked"
    assert job_id in world.results()
    assert street.process.vitals.ready() == ["the worker is stopping"]


async def test_when_no_queue_can_be_reached_they_are_asked_less_often_and_go_on_afterwards(
    world: World,
) -> None:
    street = Street(world, {"a": 1, "b": 1}, max_sessions=2)
    street.missing |= {"a", "b"}
    street.send("a", 3)
    task = asyncio.create_task(street.drain())
    await asyncio.sleep(600)
    assert street.tries.total() < 300
    street.missing.clear()
    assert await task == 0
    assert len(world.results()) == 3


async def test_a_copy_for_later_goes_back_to_the_queue_its_message_came_from(world: World) -> None:
    street = Street(world, {"a": 1, "b": 1}, max_sessions=1)
    street.process.calls.fail("execute", InfrastructureFault("gone"))
    street.send("b", 1)
    assert await street.drain() == 0
    assert (len(street.queues["a"].sent), len(street.queues["b"].sent)) == (0, 2)


async def test_draining_waits_for_what_is_scheduled_in_any_queue(world: World) -> None:
    street = Street(world, {"a": 1, "b": 1}, max_sessions=1)
    street.queues["b"].send(Sent(_body(job("later")), "later"), delay=300)
    assert await street.drain() == 0
    assert now() >= 300
    assert world.results() == ["later"]


async def test_a_slot_leaves_the_link_over_which_a_message_could_still_come(world: World) -> None:
    street = Street(world, {"a": 1, "b": 1}, max_sessions=1)
    slot = street.receiver()
    assert await slot.receive() is None
    assert await slot.receive() is None
    (first, second) = (receiver for receiver in slot._receivers.values())
    assert isinstance(first, NamedReceiver)
    assert isinstance(second, NamedReceiver)
    assert (first.name, first.rested, second.rested) == ("a", 1, 0)
    slot.rest()
    assert (first.rested, second.rested) == (2, 1)


@pytest.mark.parametrize("step", range(1, 60, 3))
async def test_whenever_the_worker_is_stopped_every_job_has_one_result_in_the_end(
    world: World, step: int
) -> None:
    street = Street(world, {"a": 3, "b": 1}, max_sessions=2)
    ids = street.send("a", 4) + street.send("b", 4)
    street.process.calls.at_step[step] = street.process.stop.set
    await street.drain()
    street.process.stop.clear()
    assert await street.drain() == 0
    assert sorted(world.results()) == sorted(ids)
    for queue in street.queues.values():
        settled = Counter((number, count) for number, count, _ in queue.settled)
        assert set(settled.values()) == {1}


def _body(document: dict[str, Any]) -> bytes:
    return json.dumps(document).encode()
