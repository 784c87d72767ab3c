"""What the doctor finds of Service Bus: nothing on a healthy local stack, and each fault when it is there."""

from __future__ import annotations

import asyncio
import ssl
import uuid
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from azure.servicebus import ServiceBusMessage
from azure.servicebus.aio import ServiceBusClient

from worker.doctor import clock, namespace_host, queues, sign_in
from worker.doctor.context import Context
from worker.doctor.examination import examine
from worker.doctor.namespace import Namespace
from worker.doctor.namespace_host import reached
from worker.faults import ConfigurationFault
from worker.local.broker import Broker, BrokerConfig, QueueSettings, TopicSettings
from worker.local.faults import BrokerFaults
from worker.local.state import QUEUES
from worker.local.switches import Switches
from worker.settings import WorkerSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

    from worker.doctor.finding import Finding

CHECKS = (*sign_in.CHECKS[:2], *namespace_host.CHECKS, *queues.CHECKS, clock.CHECKS[0])
WELL = {name: value for name, value in QUEUES["queues"][0].items() if name != "name"}


@asynccontextmanager
async def broker_of(
    folder: Path, faults: BrokerFaults | None = None, queues: Mapping[str, dict[str, object]] | None = None
) -> AsyncIterator[Broker]:
    """The local stack's broker with these queues besides its own, each declared like its own but for this."""
    more = [WELL | {"name": name} | changes for name, changes in (queues or {}).items()]
    config = BrokerConfig(
        data_dir=folder,
        queues=tuple(QueueSettings.model_validate(one) for one in (*QUEUES["queues"], *more)),
        topics=tuple(TopicSettings.model_validate(topic) for topic in QUEUES["topics"]),
        key=uuid.uuid4().hex,
    )
    async with Broker(config, Switches(faults or BrokerFaults())) as broker:
        yield broker


def settings_of(broker: Broker, **changes: Any) -> WorkerSettings:  # noqa: ANN401 - settings of any kind
    given = {
        "servicebus_connection_string": broker.connection_string,
        "servicebus_management_url": f"http://127.0.0.1:{broker.management_port}",
        "storage_connection_string": "UseDevelopmentStorage=true",
        "pool_endpoint": "https://pool.example",
        "pool_token": "token",
        "max_sessions": 2,
    }
    return WorkerSettings.model_validate(given | changes)


async def found(broker: Broker, **changes: Any) -> list[Finding]:  # noqa: ANN401 - as above
    async with AsyncExitStack() as stack:
        return await examine(Context(settings_of(broker, **changes), None, stack), CHECKS)


def wrong(findings: list[Finding]) -> list[tuple[str, str]]:
    return [(one.check, one.status) for one in findings if one.status != "ok"]


async def test_on_a_healthy_stack_all_is_well(tmp_path: Path) -> None:
    everything = {
        "events_to": "topic:events",
        "webhook_hosts": "h.example",
        "webhook_secret": "whsec_" + "A" * 44,
    }
    async with broker_of(tmp_path) as broker:
        findings = await found(broker, **everything)
    assert wrong(findings) == []
    assert [one.check for one in findings if one.facts.get("queue") == "webhooks"] == [
        "queue-receivable",
        "queue-sendable",
        "queue-properties",
        "queue-contents",
    ]
    assert {"namespace-host", "clock-against-service-bus"} <= {one.check for one in findings}


async def test_each_queue_that_is_declared_wrong_is_found_once(tmp_path: Path) -> None:
    declared: dict[str, dict[str, object]] = {
        "lock-duration": {"lock_duration_seconds": 10},
        "delivery-count": {"max_delivery_count": 5},
        "duplicate-detection": {"duplicate_detection_window_seconds": None},
        "time-to-live": {"default_ttl_seconds": 600},
        "dead-lettering-on-expiration": {"dead_lettering_on_expiration": False},
        "queue-sessions": {"requires_session": True},
        "queue-status": {"status": "Disabled"},
    }
    async with broker_of(tmp_path, queues=declared) as broker:
        findings = await found(broker, queues=",".join(declared))
    assert [one.facts["queue"] for one in findings if one.status != "ok"] == list(declared)
    assert wrong(findings) == [
        ("lock-duration", "failed"),
        ("delivery-count", "failed"),
        ("duplicate-detection", "warning"),
        ("time-to-live", "warning"),
        ("dead-lettering-on-expiration", "warning"),
        ("queue-sessions", "failed"),
        ("queue-status", "failed"),
    ]


async def test_what_cannot_be_used_is_found_without_the_right_to_read_properties(tmp_path: Path) -> None:
    declared: dict[str, dict[str, object]] = {
        "sessions": {"requires_session": True},
        "off": {"status": "Disabled"},
        "half": {"status": "SendDisabled"},
        "deaf": {"status": "ReceiveDisabled"},
    }
    async with broker_of(tmp_path, BrokerFaults(refuse_manage=True), declared) as broker:
        findings = await found(broker, queues=",".join([*declared, "nowhere"]))
    failed = [(one.facts["queue"], one.check) for one in findings if one.status == "failed"]
    assert failed == [
        ("sessions", "queue-sessions"),
        ("off", "queue-status"),
        ("half", "queue-status"),
        ("deaf", "queue-status"),
        ("nowhere", "queue-exists"),
    ]
    hidden = [one for one in findings if one.status == "unknown"]
    assert [one.check for one in hidden] == ["queue-properties"] * 5


@pytest.mark.parametrize(
    ("faults", "expected"),
    [
        (BrokerFaults(refuse_listen=True), [("queue-receivable", "failed")]),
        (BrokerFaults(refuse_send=True), [("queue-sendable", "failed")]),
        (BrokerFaults(refuse_manage=True), [("queue-properties", "unknown")]),
        (BrokerFaults(clock_skew_seconds=-60), [("clock-against-service-bus", "warning")]),
    ],
)
async def test_each_fault_of_the_broker_is_found(
    tmp_path: Path, faults: BrokerFaults, expected: list[tuple[str, str]]
) -> None:
    async with broker_of(tmp_path, faults) as broker:
        assert wrong(await found(broker)) == expected


async def test_a_wrong_key_is_found_and_opens_nothing(tmp_path: Path) -> None:
    async with broker_of(tmp_path) as broker:
        text = broker.connection_string.replace("SharedAccessKey=", "SharedAccessKey=x")
        findings = await found(broker, servicebus_connection_string=text)
    assert wrong(findings) == [
        ("queue-receivable", "failed"),
        ("queue-sendable", "failed"),
        ("queue-properties", "unknown"),
    ]
    (receivable,) = [one for one in findings if one.check == "queue-receivable"]
    assert "rights Listen and Send" in str(receivable.remedy)


async def test_queues_and_topics_that_are_not_there_are_found_by_their_settings(tmp_path: Path) -> None:
    async with broker_of(tmp_path) as broker:
        findings = await found(broker, queue="jbos", events_to="topic:webhooks,queue:nowhere")
    missing = [one for one in findings if one.status != "ok"]
    assert [one.check for one in missing] == ["queue-exists"] * 3
    assert [one.facts for one in missing] == [{"queue": "jbos"}, {"topic": "webhooks"}, {"queue": "nowhere"}]
    assert "JSWORKER_QUEUE" in missing[0].message
    assert "JSWORKER_EVENTS_TO" in missing[1].message


async def test_a_queue_that_is_nearly_full_and_has_dead_letters_is_found(tmp_path: Path) -> None:
    async with (
        broker_of(tmp_path, queues={"full": {"max_size_megabytes": 1}}) as broker,
        ServiceBusClient.from_connection_string(broker.connection_string) as client,
    ):
        async with client.get_queue_sender("full") as sender:
            for number in range(5):
                await sender.send_messages(ServiceBusMessage(b"x" * 200_000, message_id=f"{number}"))
        async with client.get_queue_receiver("full") as receiver:
            for message in await receiver.receive_messages(1, max_wait_time=5):
                await receiver.dead_letter_message(message)
        findings = await found(broker, queue="full")
    assert wrong(findings) == [("queue-size", "failed"), ("dead-letters", "info")]


async def test_looking_takes_no_message_from_anybody(tmp_path: Path) -> None:
    async with (
        broker_of(tmp_path) as broker,
        ServiceBusClient.from_connection_string(broker.connection_string) as client,
    ):
        async with client.get_queue_sender("jobs") as sender:
            await sender.send_messages(ServiceBusMessage(b"job"))
        assert wrong(await found(broker)) == []
        async with client.get_queue_receiver("jobs") as receiver:
            (message,) = await receiver.receive_messages(1, max_wait_time=5)
            assert message.delivery_count == 0
            await receiver.complete_message(message)


async def test_a_broker_that_says_nothing_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(namespace_host, "ANSWER_SECONDS", 0.3)
    async with broker_of(tmp_path, BrokerFaults(hang=True)) as broker:
        findings = await found(broker)
    assert wrong(findings) == [
        ("namespace-host", "failed"),
        ("queues", "unknown"),
        ("clock-against-service-bus", "unknown"),
    ]


async def test_nobody_at_the_port_is_told_with_the_port(unused_tcp_port: int) -> None:
    namespace = Namespace("127.0.0.1", unused_tcp_port, is_emulator=True)
    with pytest.raises(ConfigurationFault, match=f"no connection to 127.0.0.1:{unused_tcp_port}"):
        await reached(namespace, None)


async def test_a_blocked_port_beside_an_open_one_is_told_as_such(unused_tcp_port: int) -> None:
    server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
    https = server.sockets[0].getsockname()[1]
    async with server:
        with pytest.raises(ConfigurationFault, match=r"is blocked, though port \d+ is open") as told:
            await reached(
                Namespace("127.0.0.1", unused_tcp_port, is_emulator=False),
                ssl.create_default_context(),
                https,
            )
    assert "service tag ServiceBus" in told.value.remedy


async def test_what_speaks_another_protocol_is_no_service_bus() -> None:
    async def greet(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(ConfigurationFault, match="does not answer as Service Bus"):
            await reached(Namespace("127.0.0.1", port, is_emulator=True), None)
