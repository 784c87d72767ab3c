"""A queue beside that of the jobs: when its messages are taken, and what waits for them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tests.unit.core.calls import Calls
from tests.unit.core.fake_queue import FakeReceiver, Queue, Sent
from tests.unit.core.world import World, job
from worker.faults import InfrastructureFault
from worker.lifecycle import Worker
from worker.local.broker.values import State
from worker.settlement import Complete, HandBack, Retry
from worker.side_queue import SideQueue

if TYPE_CHECKING:
    from tests.unit.core.world import Process
    from worker.delivery import Delivery
    from worker.settlement import Settlement


class Handler:
    """Handles a message for as long as its body says; what is called ``again`` fails the first time."""

    def __init__(self) -> None:
        self.in_hand = self.most = 0

    async def process(self, delivery: Delivery) -> Settlement:
        self.in_hand += 1
        self.most = max(self.most, self.in_hand)
        try:
            await asyncio.sleep(float(delivery.body or b"0"))
        finally:
            self.in_hand -= 1
        fails = delivery.message_id == "again" and not delivery.history.copies
        return Retry(9000, delivery.history.after_attempt("busy")) if fails else Complete()


class Beside:
    """A process with a queue beside that of its jobs."""

    def __init__(self, process: Process) -> None:
        self.process, self.queue, self.calls, self.handler = process, Queue(), Calls(), Handler()
        lane = SideQueue("beside", self.handler, lambda: FakeReceiver(self.queue, self.calls), self.is_clear)
        self.worker = Worker(
            process.services, process.permits, process.processor, process.receiver, side_queues=[lane]
        )

    def send(self, seconds: float, message_id: str = "m") -> None:
        self.queue.send(Sent(str(seconds).encode(), message_id))

    async def is_clear(self) -> bool:
        self.queue.advance()
        return all(message.state is not State.ACTIVE for message in self.queue.rules.messages.values())

    def run(self, *, drain: bool = False) -> asyncio.Task[int]:
        return asyncio.create_task(self.worker.run(self.process.stop, drain=drain))

    def settlements(self) -> list[Settlement]:
        return [settlement for _, _, settlement in self.queue.settled]


async def test_a_lane_takes_no_permit_and_two_messages_at_a_time(world: World) -> None:
    beside = Beside(world.process(max_sessions=1))
    for number in range(4):
        beside.send(10, f"m{number}")
    task = beside.run()
    await asyncio.sleep(5)
    assert (beside.handler.in_hand, beside.process.permits.in_use) == (2, 0)
    world.send(job())
    await asyncio.sleep(4)
    assert world.results() == ["j1"]
    await asyncio.sleep(20)
    beside.process.stop.set()
    assert await task == 0
    assert beside.settlements() == [Complete()] * 4
    assert beside.handler.most == 2


async def test_a_message_in_hand_gets_the_grace_of_a_stop(world: World) -> None:
    beside = Beside(world.process(shutdown_grace_seconds=25))
    beside.send(20)
    task = beside.run()
    await asyncio.sleep(1)
    beside.process.stop.set()
    assert await task == 0
    assert beside.settlements() == [Complete()]


async def test_a_message_that_outlasts_the_grace_is_handed_back(world: World) -> None:
    beside = Beside(world.process(shutdown_grace_seconds=5))
    beside.send(60)
    task = beside.run()
    await asyncio.sleep(1)
    beside.process.stop.set()
    assert await task == 0
    assert beside.settlements() == [HandBack()]
    assert asyncio.get_running_loop().time() < 20


async def test_draining_waits_for_what_can_be_taken_and_not_for_what_is_scheduled(world: World) -> None:
    beside = Beside(world.process())
    world.send(job())
    beside.send(100)
    beside.send(1, "again")
    assert await beside.run(drain=True) == 0
    assert 100 <= asyncio.get_running_loop().time() < 120
    assert world.results() == ["j1"]
    assert [sent.history.attempts for sent in beside.queue.left] == [1]


async def test_a_lane_whose_queue_is_out_of_reach_does_not_stop_the_jobs(world: World) -> None:
    beside = Beside(world.process())
    beside.calls.fail("receive", *[InfrastructureFault("gone")] * 100)
    world.send(job())
    task = beside.run()
    await asyncio.sleep(60)
    assert world.results() == ["j1"]
    assert beside.process.vitals.ready() == ["receiving beside: gone"]
    beside.process.stop.set()
    assert await task == 0
