import asyncio
import gc
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from azure.servicebus.aio import ServiceBusClient, ServiceBusReceiver, ServiceBusSender

from worker.local.broker import Broker, BrokerConfig, QueueSettings

QUEUES = (
    QueueSettings(name="Jobs", max_delivery_count=3),
    QueueSettings(name="short-locks", lock_duration_seconds=1.5, max_delivery_count=2),
    QueueSettings(name="buries", dead_lettering_on_expiration=True),
    QueueSettings(name="drops", default_ttl_seconds=0.3),
    QueueSettings(name="unique", duplicate_detection_window_seconds=60),
    QueueSettings(name="small", max_message_bytes=2048),
)


class Sdk:
    """The SDK against one broker. Opens and closes in parallel: each costs half a second of waiting."""

    def __init__(self, broker: Broker, stack: AsyncExitStack) -> None:
        self.broker = broker
        self._stack = stack
        self._opened: list[ServiceBusReceiver | ServiceBusSender] = []

    async def client(self, retry_total: int = 3) -> ServiceBusClient:
        made = ServiceBusClient.from_connection_string(self.broker.connection_string, retry_total=retry_total)
        return await self._stack.enter_async_context(made)

    async def open(self, queue: str, receivers: int = 1) -> list[Any]:
        client = await self.client()
        sender = client.get_queue_sender(queue)
        taking = [client.get_queue_receiver(queue) for _ in range(receivers)]
        await self.enter(sender, *taking)
        return [sender, *taking]

    async def enter(self, *handlers: ServiceBusReceiver | ServiceBusSender) -> None:
        self._opened += handlers
        await asyncio.gather(*(handler.__aenter__() for handler in handlers))

    async def close(self) -> None:
        opened, self._opened = self._opened, []
        await asyncio.gather(*(handler.close() for handler in opened))


@pytest.fixture(autouse=True)
def collected() -> Iterator[None]:
    """Blame what is left open on the test that left it."""
    yield
    gc.collect()


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Broker]:
    config = BrokerConfig(
        data_dir=tmp_path, queues=QUEUES, key=uuid.uuid4().hex, accepted_tokens=frozenset({"a.known.jwt"})
    )
    async with Broker(config) as broker:
        yield broker


@pytest.fixture
async def sdk(broker: Broker) -> AsyncIterator[Sdk]:
    async with AsyncExitStack() as stack:
        sdk = Sdk(broker, stack)
        yield sdk
        await sdk.close()
