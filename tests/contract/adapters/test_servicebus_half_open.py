"""The Service Bus adapter over connections that have died without either side being told."""

from __future__ import annotations

import asyncio
import uuid
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from azure.servicebus.aio import ServiceBusClient

from tests.contract.adapters.half_open import Way
from worker.clock import now
from worker.faults import InfrastructureFault
from worker.local.broker import Broker, BrokerConfig, QueueSettings
from worker.messages import Outgoing
from worker.servicebus import Receiver, Sender
from worker.settlement import Complete
from worker.watchdog import QueueWatch, Times

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from worker.delivery import Delivery

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    # The SDK never closes the socket of a lost connection.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
TIMES = Times(call=2.5, receive=4, close=0.5, silence=1.2)


QUEUES = (QueueSettings(name="jobs"), QueueSettings(name="short-locks", lock_duration_seconds=2))


class Queue:
    """One receiver behind a way, and a sender that goes straight to the broker."""

    def __init__(self, way: Way, straight: ServiceBusClient, behind: ServiceBusClient, name: str) -> None:
        self.way, self.sender = way, Sender(straight, name)
        self.receiver = Receiver(behind, name, self.sender, None, QueueWatch(None, TIMES))

    async def send(self) -> None:
        await self.sender.send([Outgoing(b"{}", "j1")])

    async def take(self) -> Delivery:
        async with asyncio.timeout(15):
            while not (delivery := await self.receiver.receive()):
                pass
        return delivery

    async def close(self) -> None:
        await asyncio.gather(self.sender.close(), self.receiver.close())


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def broker(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Broker]:
    config = BrokerConfig(data_dir=tmp_path_factory.mktemp("broker"), queues=QUEUES, key=uuid.uuid4().hex)
    async with Broker(config) as broker:
        yield broker


@asynccontextmanager
async def opened(broker: Broker, name: str = "jobs") -> AsyncIterator[Queue]:
    text = broker.connection_string
    async with (
        Way(broker.port) as way,
        ServiceBusClient.from_connection_string(text) as straight,
        ServiceBusClient.from_connection_string(text.replace(f":{broker.port};", f":{way.port};")) as behind,
    ):
        queue = Queue(way, straight, behind, name)
        try:
            yield queue
            assert await queue.receiver.is_queue_empty()
        finally:
            await queue.close()


async def test_a_settlement_that_gets_no_answer_fails_in_time_and_succeeds_over_a_new_connection(
    broker: Broker,
) -> None:
    async with opened(broker) as queue:
        await queue.send()
        delivery = await queue.take()
        queue.way.swallow()
        began = now()
        late = replace(delivery, lock_seconds=0.1)
        with pytest.raises(InfrastructureFault):
            await queue.receiver.settle(late, Complete())
        assert now() - began < TIMES.call + 1
        await queue.receiver.settle(delivery, Complete())


async def test_a_settlement_that_gets_no_answer_is_tried_again_while_the_lock_lives(broker: Broker) -> None:
    async with opened(broker) as queue:
        await queue.send()
        delivery = await queue.take()
        queue.way.swallow()
        await queue.receiver.settle(delivery, Complete())
        assert await queue.receiver.is_queue_empty()


async def test_a_settlement_does_not_go_the_way_of_a_renewal_that_was_given_up(broker: Broker) -> None:
    async with opened(broker) as queue:
        await queue.send()
        delivery = await queue.take()
        queue.way.swallow()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(queue.receiver.renew(delivery), 0.2)
        await queue.receiver.settle(delivery, Complete())


async def test_a_receiver_that_has_become_deaf_hears_again_after_a_while(broker: Broker) -> None:
    """A message that the broker has put into the dead connection comes again when its lock has expired."""
    async with opened(broker, "short-locks") as queue:
        assert await queue.receiver.receive() is None
        queue.way.swallow()
        await queue.send()
        await queue.receiver.settle(await queue.take(), Complete())
