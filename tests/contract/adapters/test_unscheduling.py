"""Taking scheduled messages back, against the local stack's broker."""

from __future__ import annotations

import time
import uuid
from contextlib import AsyncExitStack, aclosing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from azure.servicebus.aio import ServiceBusClient

from worker.browsing import Browser
from worker.faults import ConfigurationFault
from worker.local.broker import Broker, BrokerConfig, QueueSettings
from worker.messages import Outgoing
from worker.servicebus import Sender
from worker.unscheduling import CHUNK, Unscheduler

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from worker.seen import Seen

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ServiceBusClient]:
    queues = (QueueSettings(name="many"), QueueSettings(name="gone"))
    config = BrokerConfig(data_dir=tmp_path_factory.mktemp("broker"), queues=queues, key=uuid.uuid4().hex)
    async with AsyncExitStack() as stack:
        broker = await stack.enter_async_context(Broker(config))
        yield await stack.enter_async_context(
            ServiceBusClient.from_connection_string(broker.connection_string, retry_total=0)
        )


async def scheduled(client: ServiceBusClient, queue: str, count: int) -> list[Seen]:
    """Send messages for later; all that the queue holds then."""
    later = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
    sender = Sender(client, queue)
    await sender.send(
        [Outgoing(b"{}", f"m{n}", {"jsworker-schedule": f"s{n}"}, visible_at=later) for n in range(count)]
    )
    await sender.close()
    found = await look(client, queue)
    assert {message.scheduled_at for message in found} == {later}
    return found


async def look(client: ServiceBusClient, queue: str) -> list[Seen]:
    browser = Browser(client, queue)
    async with aclosing(browser.messages()) as messages:
        found = [message async for message in messages]
    await browser.close()
    return found


async def test_many_are_taken_back_and_the_others_stay(client: ServiceBusClient) -> None:
    found = await scheduled(client, "many", CHUNK + 20)
    assert [message.properties for message in found[:2]] == [
        {"jsworker-schedule": "s0"},
        {"jsworker-schedule": "s1"},
    ]
    unscheduler = Unscheduler(client, "many")
    assert await unscheduler.cancel([message.sequence_number for message in found[5:]]) == set()
    assert await unscheduler.cancel([]) == set()
    await unscheduler.close()
    assert [message.message_id for message in await look(client, "many")] == [f"m{n}" for n in range(5)]


async def test_what_is_there_no_more_is_told_at_once_and_the_rest_is_taken_back(
    client: ServiceBusClient,
) -> None:
    numbers = [message.sequence_number for message in await scheduled(client, "gone", 3)]
    unscheduler = Unscheduler(client, "gone")
    assert await unscheduler.cancel(numbers[:1]) == set()
    before = time.monotonic()
    assert await unscheduler.cancel([*numbers, 999]) == {numbers[0], 999}
    assert time.monotonic() - before < 5
    assert await look(client, "gone") == []
    await unscheduler.close()


async def test_a_queue_that_does_not_exist_is_a_matter_of_configuration(client: ServiceBusClient) -> None:
    unscheduler = Unscheduler(client, "nowhere")
    with pytest.raises(ConfigurationFault, match="JSWORKER_QUEUE"):
        await unscheduler.cancel([1])
    await unscheduler.close()
