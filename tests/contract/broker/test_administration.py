"""The management API, as the unmodified administration client of the SDK calls it.

The client speaks HTTPS and nothing else; its transport, which one may choose, leaves TLS out here.
"""

import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ResourceNotFoundError
from azure.core.pipeline.transport import AioHttpTransport, HttpRequest
from azure.servicebus import ServiceBusMessage
from azure.servicebus.aio import ServiceBusClient
from azure.servicebus.aio.management import ServiceBusAdministrationClient
from azure.servicebus.management import CorrelationRuleFilter, SqlRuleFilter, TrueRuleFilter

from worker.local.broker import Broker, BrokerConfig, QueueSettings, TopicSettings

NEWS = {
    "name": "news",
    "duplicate_detection_window_seconds": 90,
    "subscriptions": [
        {"name": "All", "max_delivery_count": 7, "dead_lettering_on_expiration": True},
        {
            "name": "some",
            "lock_duration_seconds": 30,
            "rules": [
                {"name": "sql", "filter": {"sql": "sys.Label = 'a < b'"}},
                {"name": "mine", "filter": {"correlation": {"subject": "s", "properties": {"n": 3}}}},
                {"name": "every", "filter": {"true": True}},
            ],
        },
    ],
}
QUEUES = (
    QueueSettings(
        name="jobs",
        lock_duration_seconds=45,
        max_delivery_count=20,
        dead_lettering_on_expiration=True,
        duplicate_detection_window_seconds=600,
    ),
    QueueSettings(name="a/b", default_ttl_seconds=3600.5),
    *(QueueSettings(name=f"more-{number:03}") for number in range(105)),
)


class Plain(AioHttpTransport):  # type: ignore[misc]  # azure-core gives it without a type
    async def send(self, request: HttpRequest, **options: Any) -> Any:  # noqa: ANN401 - as azure-core has it
        request.url = request.url.replace("https://", "http://", 1)
        return await super().send(request, **options)


def client_of(broker: Broker, **changes: str) -> ServiceBusAdministrationClient:
    text = broker.connection_string.replace(f":{broker.port};", f":{broker.management_port};")
    for old, new in changes.items():
        text = text.replace(f"{old}=", f"{old}={new}")
    return ServiceBusAdministrationClient.from_connection_string(text, transport=Plain(), retry_total=0)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def broker(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Broker]:
    config = BrokerConfig(
        data_dir=tmp_path_factory.mktemp("broker"),
        queues=QUEUES,
        topics=(TopicSettings.model_validate(NEWS),),
        key=uuid.uuid4().hex,
    )
    async with Broker(config) as broker:
        yield broker


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(broker: Broker) -> AsyncIterator[ServiceBusAdministrationClient]:
    async with client_of(broker) as client:
        yield client


pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_queue_is_told_as_it_is_declared(client: ServiceBusAdministrationClient) -> None:
    queue = await client.get_queue("jobs")
    assert queue.lock_duration == timedelta(seconds=45)
    assert queue.max_delivery_count == 20
    assert queue.dead_lettering_on_message_expiration is True
    assert queue.requires_duplicate_detection is True
    assert queue.duplicate_detection_history_time_window == timedelta(minutes=10)
    assert queue.requires_session is False
    assert queue.max_size_in_megabytes == 1024
    assert queue.status == "Active"
    assert queue.forward_to is None


async def test_what_is_not_declared_is_off(client: ServiceBusAdministrationClient) -> None:
    queue = await client.get_queue("more-000")
    assert queue.requires_duplicate_detection is False
    assert queue.dead_lettering_on_message_expiration is False
    assert isinstance(queue.default_message_time_to_live, timedelta)
    assert queue.default_message_time_to_live > timedelta(days=10_000_000)


async def test_names_have_slashes_and_no_case(client: ServiceBusAdministrationClient) -> None:
    assert (await client.get_queue("A/b")).default_message_time_to_live == timedelta(seconds=3600.5)


async def test_the_messages_of_a_queue_are_counted(
    broker: Broker, client: ServiceBusAdministrationClient
) -> None:
    async with ServiceBusClient.from_connection_string(broker.connection_string) as bus:
        async with bus.get_queue_sender("a/b") as sender:
            await sender.send_messages([ServiceBusMessage("x" * 1000) for _ in range(5)])
            await sender.schedule_messages(ServiceBusMessage("y"), datetime.now(UTC) + timedelta(hours=1))
        async with bus.get_queue_receiver("a/b") as receiver:
            dead, locked, done = await receiver.receive_messages(3, max_wait_time=5)
            await receiver.dead_letter_message(dead)
            await receiver.complete_message(done)
            found = await client.get_queue_runtime_properties("a/b")
            await receiver.abandon_message(locked)
    assert found.active_message_count == 3
    assert found.scheduled_message_count == 1
    assert found.dead_letter_message_count == 1
    assert found.transfer_message_count == 0
    assert found.total_message_count == 5
    assert found.size_in_bytes is not None
    assert 4000 < found.size_in_bytes < 6000


async def test_all_queues_are_listed_page_by_page(client: ServiceBusAdministrationClient) -> None:
    names = [queue.name async for queue in client.list_queues()]
    assert names == [queue.name for queue in QUEUES]
    assert [topic.name async for topic in client.list_topics()] == ["news"]


async def test_a_topic_is_told(client: ServiceBusAdministrationClient) -> None:
    topic = await client.get_topic("news")
    assert topic.duplicate_detection_history_time_window == timedelta(seconds=90)
    assert (await client.get_topic_runtime_properties("news")).subscription_count == 2


async def test_a_subscription_is_told_with_its_messages(
    broker: Broker, client: ServiceBusAdministrationClient
) -> None:
    bus = ServiceBusClient.from_connection_string(broker.connection_string)
    async with bus, bus.get_topic_sender("news") as sender:
        await sender.send_messages([ServiceBusMessage("x", message_id=name) for name in "ab"])
        await sender.schedule_messages(ServiceBusMessage("y"), datetime.now(UTC) + timedelta(hours=1))
    subscription = await client.get_subscription("news", "all")
    assert subscription.max_delivery_count == 7
    assert subscription.dead_lettering_on_message_expiration is True
    assert (await client.get_subscription_runtime_properties("news", "all")).active_message_count == 2
    assert (await client.get_topic_runtime_properties("news")).scheduled_message_count == 1
    assert [one.name async for one in client.list_subscriptions("news")] == ["All", "some"]


async def test_the_rules_of_a_subscription_are_told(client: ServiceBusAdministrationClient) -> None:
    sql, mine, every = [rule async for rule in client.list_rules("news", "some")]
    assert [sql.name, mine.name, every.name] == ["sql", "mine", "every"]
    assert isinstance(sql.filter, SqlRuleFilter)
    assert sql.filter.sql_expression == "sys.Label = 'a < b'"
    assert isinstance(mine.filter, CorrelationRuleFilter)
    assert (mine.filter.label, mine.filter.properties) == ("s", {"n": 3})
    assert isinstance(every.filter, TrueRuleFilter)
    assert isinstance((await client.get_rule("news", "some", "MINE")).filter, CorrelationRuleFilter)
    assert [rule.name async for rule in client.list_rules("news", "all")] == ["Default"]


async def test_what_is_not_there_is_not_found(client: ServiceBusAdministrationClient) -> None:
    for call in (
        client.get_queue("nowhere"),
        client.get_topic("nowhere"),
        client.get_subscription("news", "nowhere"),
        client.get_subscription("nowhere", "all"),
        client.get_rule("news", "all", "nowhere"),
    ):
        with pytest.raises(ResourceNotFoundError):
            await call


async def test_nothing_can_be_changed(client: ServiceBusAdministrationClient) -> None:
    with pytest.raises(HttpResponseError, match="reads, nothing more"):
        await client.delete_queue("jobs")


async def test_a_wrong_key_is_refused(broker: Broker) -> None:
    async with client_of(broker, SharedAccessKey="x") as client:
        with pytest.raises(ClientAuthenticationError) as refused:
            await client.get_queue("jobs")
    assert "signature" in str(refused.value)
