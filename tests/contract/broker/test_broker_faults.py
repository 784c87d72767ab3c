"""The faults of the local broker, each through the Service Bus SDK."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from azure.servicebus import ServiceBusMessage, ServiceBusReceivedMessage
from azure.servicebus.aio import ServiceBusClient, ServiceBusReceiver
from azure.servicebus.exceptions import MessageLockLostError, ServiceBusServerBusyError

from tests.contract.broker.conftest import Sdk, declared
from worker.local.broker import Broker, BrokerConfig
from worker.local.faults import BrokerFaults
from worker.local.switches import Switches

LANES = {"jobs": 9}
SOON = 0.7
TWO_TICKS = 0.1  # of the broker, in whose loop the test runs: it has seen its switches by then
pytestmark = pytest.mark.asyncio(loop_scope="module")


class Faulty:
    """A broker, the SDK on it, and its switches."""

    def __init__(self, broker: Broker, sdk: Sdk, switches: Switches[BrokerFaults]) -> None:
        self.broker, self.sdk, self.switches = broker, sdk, switches

    @contextmanager
    def having(self, faults: BrokerFaults) -> Iterator[None]:
        self.switches.now = faults
        try:
            yield
        finally:
            self.switches.now = BrokerFaults()

    async def job(self) -> tuple[str, Any, Any, ServiceBusReceivedMessage]:
        """A message that was received: its queue, a sender and the receiver of it, and the message."""
        queue, sender, receiver = self.sdk.take("jobs")
        await sender.send_messages(ServiceBusMessage("job"))
        return queue, sender, receiver, await receive_one(receiver)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def faulty(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Faulty]:
    config = BrokerConfig(data_dir=tmp_path_factory.mktemp("faulty"), queues=declared(), key=uuid.uuid4().hex)
    switches = Switches(BrokerFaults())
    async with AsyncExitStack() as stack:
        broker = await stack.enter_async_context(Broker(config, switches))
        text = broker.connection_string
        client = await stack.enter_async_context(ServiceBusClient.from_connection_string(text, retry_total=0))
        sdk = Sdk(client)
        await sdk.open(LANES)
        yield Faulty(broker, sdk, switches)
        await sdk.close()


async def receive_one(receiver: ServiceBusReceiver) -> ServiceBusReceivedMessage:
    (message,) = await receiver.receive_messages(1, max_wait_time=5)
    return message


async def held(receiver: ServiceBusReceiver) -> list[str]:
    """All that is in the queue."""
    return [str(message) for message in await receiver.peek_messages(10, sequence_number=1)]


async def test_a_withheld_settlement_has_its_effect_and_no_outcome(faulty: Faulty) -> None:
    _, _, receiver, message = await faulty.job()
    with faulty.having(BrokerFaults(withhold_settlement_rate=1)), pytest.raises(TimeoutError):
        await asyncio.wait_for(receiver.complete_message(message), SOON)
    assert await held(receiver) == []


async def test_a_lost_settlement_has_neither_and_can_be_sent_again(faulty: Faulty) -> None:
    _, _, receiver, message = await faulty.job()
    with faulty.having(BrokerFaults(lose_settlement_rate=1)), pytest.raises(TimeoutError):
        await asyncio.wait_for(receiver.complete_message(message), SOON)
    assert await held(receiver) == ["job"]
    await receiver.renew_message_lock(message)
    await receiver.complete_message(message)
    assert await held(receiver) == []


async def test_a_renewal_can_be_refused_though_the_lock_is_held(faulty: Faulty) -> None:
    _, _, receiver, message = await faulty.job()
    with faulty.having(BrokerFaults(refuse_renewal_rate=1)), pytest.raises(MessageLockLostError):
        await receiver.renew_message_lock(message)
    await receiver.renew_message_lock(message)
    await receiver.complete_message(message)
    assert await held(receiver) == []


async def test_a_message_can_be_handed_to_two_receivers(faulty: Faulty) -> None:
    queue, sender, receiver = faulty.sdk.take("jobs")
    (other,) = await faulty.sdk.receivers(queue)
    with faulty.having(BrokerFaults(duplicate_delivery_rate=1)):
        await sender.send_messages(ServiceBusMessage("twice"))
        first = await receive_one(receiver)
    second = await receive_one(other)
    assert (str(first), str(second)) == ("twice", "twice")
    assert (first.delivery_count, second.delivery_count) == (0, 1)
    assert first.sequence_number == second.sequence_number
    with pytest.raises(MessageLockLostError):
        await receiver.complete_message(first)
    await other.complete_message(second)
    assert await held(other) == []


async def test_answers_can_be_late(faulty: Faulty) -> None:
    _, sender, receiver = faulty.sdk.take("jobs")
    with faulty.having(BrokerFaults(latency_seconds=0.3)):
        began = time.monotonic()
        await sender.send_messages([ServiceBusMessage("late")])
        sent = time.monotonic()
        message = await receive_one(receiver)
        received = time.monotonic()
        await receiver.complete_message(message)
    assert sent - began >= 0.3
    assert received - sent >= 0.3
    assert time.monotonic() - received >= 0.3


async def test_a_busy_broker_refuses_what_is_sent_in_either_way(faulty: Faulty) -> None:
    _, sender, receiver = faulty.sdk.take("jobs")
    due = datetime.now(UTC) + timedelta(seconds=1)
    with faulty.having(BrokerFaults(busy_rate=1)):
        with pytest.raises(ServiceBusServerBusyError, match="50009"):
            await sender.send_messages(ServiceBusMessage("refused"))
        with pytest.raises(ServiceBusServerBusyError):
            await sender.schedule_messages(ServiceBusMessage("refused"), due)
    assert await held(receiver) == []
    await sender.send_messages(ServiceBusMessage("accepted"))
    assert str(await receive_one(receiver)) == "accepted"


@pytest.mark.parametrize("skew", [-120.0, 120.0])
async def test_its_clock_can_differ_and_its_rules_do_not_care(faulty: Faulty, skew: float) -> None:
    queue, sender, receiver = faulty.sdk.take("jobs")
    (other,) = await faulty.sdk.receivers(queue)
    with faulty.having(BrokerFaults(clock_skew_seconds=skew)):
        await sender.send_messages(ServiceBusMessage("when?"))
        message = await receive_one(receiver)
        shown = message.enqueued_time_utc
        assert shown is not None
        assert abs(shown.timestamp() - time.time() - skew) < 5
        assert message.locked_until_utc is not None
        assert abs(message.locked_until_utc.timestamp() - time.time() - skew - 60) < 5
        assert await other.receive_messages(1, max_wait_time=0.3) == []
        if skew > 0:
            until = await receiver.renew_message_lock(message)
            assert abs(until.timestamp() - time.time() - skew - 60) < 5
            await receiver.complete_message(message)
    left = [] if skew > 0 else ["when?"]
    assert await held(other) == left


async def test_a_broker_that_hangs_keeps_its_connections_and_goes_on_where_it_was(faulty: Faulty) -> None:
    _, sender, receiver, message = await faulty.job()
    with faulty.having(BrokerFaults(hang=True)):
        await asyncio.sleep(TWO_TICKS)
        reader, writer = await asyncio.open_connection("127.0.0.1", faulty.broker.port)
        writer.write(b"AMQP\x03\x01\x00\x00")
        sending = asyncio.ensure_future(sender.send_messages(ServiceBusMessage("next")))
        hearing = asyncio.ensure_future(reader.readexactly(8))
        done, _ = await asyncio.wait([sending, hearing], timeout=SOON)
        assert not done
    assert await asyncio.wait_for(hearing, 5) == b"AMQP\x03\x01\x00\x00"
    await asyncio.wait_for(sending, 5)
    await receiver.complete_message(message)
    assert str(await receive_one(receiver)) == "next"
    writer.close()
    await writer.wait_closed()


async def test_connections_can_be_reset(tmp_path: Path) -> None:
    switches = Switches(BrokerFaults())
    async with Broker(BrokerConfig(data_dir=tmp_path, queues=(), key="key"), switches) as broker:
        ends = [await asyncio.open_connection("127.0.0.1", broker.port) for _ in range(3)]
        for reader, writer in ends:
            writer.write(b"AMQP\x03\x01\x00\x00")
            assert await reader.readexactly(8)
        switches.now = BrokerFaults(drop_connections_rate=1)
        for reader, writer in ends:
            with pytest.raises(ConnectionResetError):
                await asyncio.wait_for(reader.read(), 5)
            writer.close()


async def test_what_happens_is_told(tmp_path: Path) -> None:
    told: list[tuple[str, object]] = []

    def tell(event: str, /, **fields: object) -> None:
        told.append((event, fields.get("fault")))

    switches = Switches(BrokerFaults(), tell)
    config = BrokerConfig(data_dir=tmp_path, queues=declared(1), key="key")
    async with (
        Broker(config, switches) as broker,
        ServiceBusClient.from_connection_string(broker.connection_string, retry_total=0) as client,
        client.get_queue_sender("jobs-0") as sender,
    ):
        switches.now = BrokerFaults(busy_rate=1)
        with pytest.raises(ServiceBusServerBusyError):
            await sender.send_messages(ServiceBusMessage("refused"))
        switches.now = BrokerFaults()
    assert told == [("fault_injected", "busy_rate")]
