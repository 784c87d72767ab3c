import asyncio
import gc
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from azure.servicebus.aio import ServiceBusClient, ServiceBusReceiver, ServiceBusSender

from worker.local.broker import Broker, BrokerConfig, QueueSettings, TopicSettings

KINDS: dict[str, dict[str, Any]] = {
    "jobs": {"max_delivery_count": 3},
    "short-locks": {"lock_duration_seconds": 1.5, "max_delivery_count": 2},
    "buries": {"dead_lettering_on_expiration": True},
    "drops": {"default_ttl_seconds": 0.3},
    "unique": {"duplicate_detection_window_seconds": 60},
    "small": {"max_message_bytes": 2048},
}


class Sdk:
    """The SDK against one broker.

    Opening and closing costs half a second of waiting each, so the queues of a module (`LANES`, so many of
    each kind) are opened and closed together, and each test takes one.
    """

    def __init__(self, client: ServiceBusClient) -> None:
        self.client = client
        self._lanes: dict[str, list[tuple[str, Any, Any]]] = {}
        self._opened: list[ServiceBusReceiver | ServiceBusSender] = []

    async def open(self, lanes: dict[str, int]) -> None:
        for kind, count in lanes.items():
            names = [f"{kind}-{number}" for number in range(count)]
            self._lanes[kind] = [
                (name, self.client.get_queue_sender(name), self.client.get_queue_receiver(name))
                for name in names
            ]
        ends = [end for lanes in self._lanes.values() for _, *pair in lanes for end in pair]
        await self.enter(*ends)

    def take(self, kind: str) -> tuple[str, Any, Any]:
        """Return the name, a sender and a receiver of a queue that no other test has."""
        return self._lanes[kind].pop()

    async def receivers(self, queue: str, count: int = 1, **options: Any) -> list[ServiceBusReceiver]:  # noqa: ANN401 - the SDK's
        made = [self.client.get_queue_receiver(queue, **options) for _ in range(count)]
        await self.enter(*made)
        return made

    async def enter(self, *ends: ServiceBusReceiver | ServiceBusSender) -> None:
        self._opened += ends
        await asyncio.gather(*(end.__aenter__() for end in ends))

    async def close(self) -> None:
        await asyncio.gather(*(end.close() for end in self._opened))


def declared(count: int = 10) -> tuple[QueueSettings, ...]:
    return tuple(
        QueueSettings(name=f"{kind}-{number}", **rules)
        for kind, rules in KINDS.items()
        for number in range(count)
    )


@pytest.fixture(autouse=True)
def collected() -> Iterator[None]:
    """Blame what is left open on the test that left it."""
    yield
    gc.collect()


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Broker]:
    config = BrokerConfig(
        data_dir=tmp_path,
        queues=declared(1),
        topics=(TopicSettings.model_validate({"name": "news", "subscriptions": [{"name": "all"}]}),),
        key=uuid.uuid4().hex,
        accepted_tokens=frozenset({"a.known.jwt"}),
    )
    async with Broker(config) as broker:
        yield broker


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sdk(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Sdk]:
    folder = tmp_path_factory.mktemp("broker")
    topics = tuple(TopicSettings(**topic) for topic in getattr(request.module, "TOPICS", ()))
    config = BrokerConfig(data_dir=folder, queues=declared(), topics=topics, key=uuid.uuid4().hex)
    async with AsyncExitStack() as stack:
        broker = await stack.enter_async_context(Broker(config))
        text = broker.connection_string
        client = await stack.enter_async_context(ServiceBusClient.from_connection_string(text, retry_total=0))
        sdk = Sdk(client)
        await sdk.open(request.module.LANES)
        yield sdk
        await sdk.close()
