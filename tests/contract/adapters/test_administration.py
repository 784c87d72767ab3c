"""Reading how queues are set and what they hold, against the local stack's broker."""

from __future__ import annotations

import uuid
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, Self

import pytest
import pytest_asyncio
from azure.servicebus import ServiceBusMessage
from azure.servicebus.aio import ServiceBusClient

from tests.contract.adapters.scripted_pool import Answer, ScriptedPool
from worker.administration import open_administration
from worker.faults import ConfigurationFault, EntityMissing, InfrastructureFault, PropertiesHidden
from worker.local.broker import Broker, BrokerConfig, QueueSettings, TopicSettings
from worker.local.faults import BrokerFaults
from worker.local.switches import Switches
from worker.queue_properties import QueueProperties, TopicProperties
from worker.settings import ClientSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from azure.core.credentials import AccessToken

    from worker.administration import Administration

pytestmark = pytest.mark.asyncio(loop_scope="module")
EMPTY_ENTRY = (
    '<entry xmlns="http://www.w3.org/2005/Atom"><title>jobs</title><content type="application/xml">'
    '<QueueDescription xmlns="http://schemas.microsoft.com/netservices/2010/10/servicebus/connect"/>'
    "</content></entry>"
)
JOBS = QueueSettings(
    name="jobs",
    lock_duration_seconds=45,
    max_delivery_count=20,
    dead_lettering_on_expiration=True,
    duplicate_detection_window_seconds=600,
)
PLAIN = QueueSettings(name="plain", default_ttl_seconds=1800, status="SendDisabled", requires_session=True)
EVENTS = TopicSettings.model_validate(
    {
        "name": "events",
        "duplicate_detection_window_seconds": 90,
        "subscriptions": [{"name": "all", "max_delivery_count": 7}],
    }
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def switches() -> Switches[BrokerFaults]:
    return Switches(BrokerFaults())


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def broker(
    tmp_path_factory: pytest.TempPathFactory, switches: Switches[BrokerFaults]
) -> AsyncIterator[Broker]:
    config = BrokerConfig(
        data_dir=tmp_path_factory.mktemp("broker"),
        queues=(JOBS, PLAIN),
        topics=(EVENTS,),
        key=uuid.uuid4().hex,
    )
    async with Broker(config, switches) as broker:
        yield broker


def settings_of(broker: Broker, **changes: Any) -> ClientSettings:  # noqa: ANN401 - settings of any kind
    given = {
        "servicebus_connection_string": broker.connection_string,
        "servicebus_management_url": f"http://127.0.0.1:{broker.management_port}",
    }
    return ClientSettings(**(given | changes))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def administration(broker: Broker) -> AsyncIterator[Administration]:
    async with open_administration(settings_of(broker), None) as administration:
        yield administration


async def test_a_queue_is_told_as_it_is_set(administration: Administration) -> None:
    assert await administration.queue("jobs") == QueueProperties(
        name="jobs",
        lock_seconds=45,
        max_delivery_count=20,
        duplicate_window_seconds=600,
        time_to_live_seconds=None,
        dead_lettering_on_expiration=True,
        requires_session=False,
        status="Active",
        max_size_bytes=1 << 30,
        forward_to=None,
    )
    plain = await administration.queue("plain")
    assert (plain.duplicate_window_seconds, plain.time_to_live_seconds) == (None, 1800)
    assert (plain.status, plain.requires_session) == ("SendDisabled", True)


async def test_topics_and_subscriptions_are_told(administration: Administration) -> None:
    assert await administration.topic("events") == TopicProperties("events", 90, None, "Active", 1 << 30)
    subscription = await administration.queue("events/Subscriptions/all")
    assert (subscription.max_delivery_count, subscription.max_size_bytes) == (7, None)


async def test_messages_are_counted(broker: Broker, administration: Administration) -> None:
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(
            ServiceBusClient.from_connection_string(broker.connection_string)
        )
        jobs = await stack.enter_async_context(client.get_queue_sender("jobs"))
        events = await stack.enter_async_context(client.get_topic_sender("events"))
        await jobs.send_messages(ServiceBusMessage(b"x" * 500))
        await events.send_messages(ServiceBusMessage(b"y"))
    counts = await administration.queue_counts("jobs")
    assert (counts.active, counts.scheduled, counts.dead_lettered, counts.transfer) == (1, 0, 0, 0)
    assert counts.size_bytes is not None
    assert counts.size_bytes > 500
    assert (await administration.queue_counts("events/Subscriptions/all")).active == 1
    assert (await administration.topic_counts("events")).scheduled == 0


@pytest.mark.parametrize("name", ["nowhere", "events", "events/Subscriptions/none", "jobs/Subscriptions/x"])
async def test_what_is_no_queue_is_missing(administration: Administration, name: str) -> None:
    with pytest.raises(EntityMissing):
        await administration.queue(name)


async def test_a_queue_is_no_topic(administration: Administration) -> None:
    with pytest.raises(EntityMissing, match="another kind"):
        await administration.topic("jobs")


async def test_without_the_right_the_properties_are_hidden(
    administration: Administration, switches: Switches[BrokerFaults]
) -> None:
    switches.now = BrokerFaults(refuse_manage=True)
    try:
        with pytest.raises(PropertiesHidden, match=r"right Manage.*Azure Service Bus Data Owner"):
            await administration.queue("jobs")
    finally:
        switches.now = BrokerFaults()


async def test_nobody_at_the_address_is_an_outage(broker: Broker, unused_tcp_port: int) -> None:
    settings = settings_of(broker, servicebus_management_url=f"http://127.0.0.1:{unused_tcp_port}")
    async with open_administration(settings, None) as administration:
        with pytest.raises(InfrastructureFault, match="management API"):
            await administration.queue("jobs")


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (b"<html><body>sign in<br></body></html>", InfrastructureFault),
        (b"", EntityMissing),
        (b'<!DOCTYPE a [<!ENTITY b "c">]><entry>&b;</entry>', EntityMissing),
        (b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><entry>&b;</entry>', InfrastructureFault),
        (EMPTY_ENTRY.encode(), EntityMissing),
        (EMPTY_ENTRY.replace("/>", "><LockDuration>x</LockDuration></QueueDescription>").encode(),
         InfrastructureFault),
    ],
)  # fmt: skip
async def test_an_answer_that_is_none_of_service_bus_is_a_fault_in_few_words(
    broker: Broker, body: bytes, fault: type[Exception]
) -> None:
    async with ScriptedPool() as server:
        server.plan(*[Answer(body=body, headers={"Content-Type": "application/atom+xml"})] * 2)
        settings = settings_of(broker, servicebus_management_url=server.url.partition("/subscriptions")[0])
        async with open_administration(settings, None) as administration:
            with pytest.raises(fault) as told:
                await administration.queue("jobs")
    assert len(str(told.value)) < 300


class Refusing:
    """A credential that has no token to give."""

    async def get_token(self, *_scopes: str, **_options: object) -> AccessToken:
        from azure.identity import CredentialUnavailableError  # noqa: PLC0415 - slow to import

        raise CredentialUnavailableError("nobody is signed in")

    async def close(self) -> None:
        return

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        return


async def test_a_credential_without_a_token_is_told_as_such() -> None:
    settings = ClientSettings(servicebus_namespace="name.servicebus.windows.net")
    async with open_administration(settings, Refusing()) as administration:
        with pytest.raises(ConfigurationFault, match="no token for Service Bus"):
            await administration.queue("jobs")
