"""Sending the outbox's messages, against the local stack's broker: to queues, topics, and webhooks' queue."""

from __future__ import annotations

import json
import uuid
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from azure.servicebus.aio import ServiceBusClient

from worker.destinations import Destination
from worker.faults import ConfigurationFault
from worker.local.broker import Broker, BrokerConfig, QueueSettings
from worker.local.broker.config import TopicSettings
from worker.message_properties import properties_of
from worker.messages import body_of
from worker.parcels import Parcel
from worker.posting import Posting
from worker.queue_links import Links
from worker.webhooks import EVENT_PROPERTY, URL_PROPERTY

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from azure.servicebus import ServiceBusReceivedMessage
    from azure.servicebus.aio import ServiceBusReceiver

pytestmark = pytest.mark.asyncio(loop_scope="module")
FAILURES = {"name": "failures", "rules": [{"name": "bad", "filter": {"sql": "status <> 'succeeded'"}}]}
EVENTS = TopicSettings.model_validate({"name": "events", "subscriptions": [{"name": "all"}, FAILURES]})
QUEUES = (QueueSettings(name="done"), QueueSettings(name="hooks"))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ServiceBusClient]:
    folder = tmp_path_factory.mktemp("broker")
    config = BrokerConfig(data_dir=folder, queues=QUEUES, topics=(EVENTS,), key=uuid.uuid4().hex)
    async with AsyncExitStack() as stack:
        broker = await stack.enter_async_context(Broker(config))
        yield await stack.enter_async_context(
            ServiceBusClient.from_connection_string(broker.connection_string, retry_total=0)
        )


@pytest_asyncio.fixture(loop_scope="module")
async def posting(client: ServiceBusClient) -> AsyncIterator[Posting]:
    links = Links(client)
    yield Posting(links, "hooks")
    await links.close()


def parcel(status: str = "succeeded", **to: str) -> Parcel:
    return Parcel(
        Destination.model_validate(to),
        f"m-{status}-{uuid.uuid4().hex[:8]}",
        json.dumps({"status": status}),
        "application/cloudevents+json",
        "io.jsworker.job.completed",
        {"status": status, "traceparent": "00-" + "1" * 32 + "-" + "2" * 16 + "-01"},
    )


async def taken(receiver: ServiceBusReceiver) -> list[ServiceBusReceivedMessage]:
    async with receiver:
        messages = await receiver.receive_messages(10, max_wait_time=2)
        for message in messages:
            await receiver.complete_message(message)
    return messages


async def test_a_queue_gets_the_event_with_all_that_is_said_of_it(
    client: ServiceBusClient, posting: Posting
) -> None:
    sent = parcel(queue="Done")
    await posting.post(sent)
    (message,) = await taken(client.get_queue_receiver("done"))
    assert body_of(message) == sent.body.encode()
    assert (message.message_id, message.content_type, message.subject) == (
        sent.message_id,
        sent.content_type,
        sent.subject,
    )
    assert properties_of(message) == sent.properties


async def test_the_rules_of_a_topics_subscriptions_go_by_the_properties(
    client: ServiceBusClient, posting: Posting
) -> None:
    await posting.post(parcel("succeeded", topic="events"))
    await posting.post(parcel("failed", topic="events"))
    every = await taken(client.get_subscription_receiver("events", "all"))
    some = await taken(client.get_subscription_receiver("events", "failures"))
    assert [properties_of(message)["status"] for message in every] == ["succeeded", "failed"]
    assert [properties_of(message)["status"] for message in some] == ["failed"]


async def test_what_is_for_a_webhook_goes_to_the_queue_of_webhooks(
    client: ServiceBusClient, posting: Posting
) -> None:
    sent = parcel(webhook="https://hooks.example/x")
    await posting.post(sent)
    (message,) = await taken(client.get_queue_receiver("hooks"))
    assert body_of(message) == sent.body.encode()
    told = properties_of(message)
    assert (told[URL_PROPERTY], told[EVENT_PROPERTY]) == ("https://hooks.example/x", sent.message_id)


async def test_a_destination_that_does_not_exist_is_said_and_keeps_no_other_from_its_events(
    client: ServiceBusClient, posting: Posting
) -> None:
    with pytest.raises(ConfigurationFault, match="nowhere"):
        await posting.post(parcel(topic="nowhere"))
    await posting.post(parcel(queue="done"))
    assert len(await taken(client.get_queue_receiver("done"))) == 1
