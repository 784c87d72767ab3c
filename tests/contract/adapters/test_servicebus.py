"""The Service Bus adapter over the SDK, against the local stack's broker."""

from __future__ import annotations

import asyncio
import itertools
import uuid
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from azure.servicebus import ServiceBusMessage, ServiceBusReceivedMessage
from azure.servicebus._common.utils import utc_from_timestamp as utc_from
from azure.servicebus._pyamqp.types import TYPE, VALUE, AMQPTypes
from azure.servicebus.aio import ServiceBusClient
from azure.servicebus.amqp import AmqpAnnotatedMessage, AmqpMessageBodyType

from worker.clock import now
from worker.faults import ConfigurationFault, InfrastructureFault, LockLost
from worker.local.broker import Broker, BrokerConfig, QueueSettings
from worker.messages import Outgoing
from worker.servicebus import Receiver, Sender, open_servicebus
from worker.settings import ClientSettings
from worker.settlement import Complete, DeadLetter, HandBack, LetGo, Retry
from worker.watchdog import QueueWatch

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from worker.delivery import Delivery

pytestmark = pytest.mark.asyncio(loop_scope="module")
NUMBERS = itertools.count()
QUEUES = (
    QueueSettings(name="jobs", max_delivery_count=20, duplicate_detection_window_seconds=60),
    QueueSettings(name="events/Subscriptions/runs"),
    QueueSettings(name="short-locks", lock_duration_seconds=1.2),
    QueueSettings(name="odd-times", lock_duration_seconds=3),
)


class Queue:
    """A sender and receivers of one queue, closed at the end all at once: each takes half a second."""

    def __init__(self, client: ServiceBusClient, name: str) -> None:
        self.client, self.name = client, name
        self.sender = Sender(client, name)
        self.receivers: list[Receiver] = [Receiver(client, name, self.sender)]

    def receiver(self) -> Receiver:
        self.receivers.append(Receiver(self.client, self.name, self.sender))
        return self.receivers[-1]

    async def send(self, *messages: Outgoing) -> None:
        await self.sender.send(messages)

    async def take(self, receiver: Receiver | None = None) -> tuple[Receiver, Delivery]:
        receiver = receiver or self.receivers[0]
        async with asyncio.timeout(20):
            while not (delivery := await receiver.receive()):
                pass
        return receiver, delivery

    async def close(self) -> None:
        await asyncio.gather(self.sender.close(), *(receiver.close() for receiver in self.receivers))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def broker(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Broker]:
    data_dir = tmp_path_factory.mktemp("broker")
    async with Broker(BrokerConfig(data_dir=data_dir, queues=QUEUES, key=uuid.uuid4().hex)) as broker:
        yield broker


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


async def opened(broker: Broker, stack: AsyncExitStack, name: str = "jobs") -> Queue:
    settings = ClientSettings.model_validate({"servicebus_connection_string": broker.connection_string})
    queue = Queue(await stack.enter_async_context(open_servicebus(settings, None)), name)
    stack.push_async_callback(queue.close)
    return queue


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(broker: Broker, stack: AsyncExitStack) -> Queue:
    """Opening and closing links takes a second: the tests of this module share them."""
    return await opened(broker, stack)


@pytest_asyncio.fixture(loop_scope="module")
async def queue(shared: Queue) -> AsyncIterator[Queue]:
    yield shared
    assert await shared.receivers[0].is_queue_empty()


def job() -> Outgoing:
    """Of an id that no other test has: the queue detects duplicates."""
    return Outgoing(b'{"n": 1}', f"b/j{next(NUMBERS)}", {"kind": "job"})


async def test_a_delivery_has_what_the_core_needs(queue: Queue) -> None:
    sent = job()
    await queue.send(sent)
    receiver, delivery = await queue.take()
    assert (delivery.body, delivery.message_id) == (sent.body, sent.message_id)
    assert (delivery.delivery_count, delivery.redelivered) == (0, False)
    assert 58 < delivery.lock_seconds <= 61
    assert delivery.received_at <= now()
    assert delivery.queued_ms is not None
    assert 0 <= delivery.queued_ms < 20_000
    await receiver.settle(delivery, Complete())
    assert await receiver.is_queue_empty()


async def test_a_message_handed_back_is_delivered_again_and_counted(queue: Queue) -> None:
    await queue.send(job())
    receiver, first = await queue.take()
    await receiver.settle(first, HandBack())
    _, second = await queue.take(receiver)
    assert (second.sequence_number, second.delivery_count) == (first.sequence_number, 1)
    assert second.redelivered
    await receiver.settle(second, LetGo())
    assert not await receiver.is_queue_empty()
    await receiver.settle(second, Complete())


async def test_a_dead_letter_says_why_however_much_there_is_to_say(queue: Queue) -> None:
    await queue.send(job())
    receiver, delivery = await queue.take()
    await receiver.settle(delivery, DeadLetter("invalid_job", "limits: " + "x" * 10_000))
    async with queue.client.get_queue_receiver("jobs", sub_queue="deadletter") as dead_letters:
        (message,) = await dead_letters.peek_messages(1)
    assert message.dead_letter_reason == "invalid_job"
    assert str(message.dead_letter_error_description).startswith("limits: xx")


async def test_a_copy_carries_the_history_and_the_properties_on_and_on(queue: Queue) -> None:
    await queue.send(job())
    receiver, delivery = await queue.take()
    first_enqueued = delivery.history.first_enqueued_ms
    history = delivery.history
    for attempt in range(1, 4):
        history = history.after_attempt(f"reason {attempt}")
        await receiver.settle(delivery, Retry(0, history))
        _, delivery = await queue.take(receiver)
        assert delivery.history == history
        assert (delivery.body, delivery.delivery_count) == (b'{"n": 1}', 0)
        assert delivery.properties["kind"] == "job"
        properties = delivery.handle.application_properties  # type: ignore[attr-defined] # the SDK's message
        assert {name: value for name, value in properties.items() if b"history" not in name} == {
            b"kind": b"job"
        }
    assert history.first_enqueued_ms == first_enqueued
    await receiver.settle(delivery, Complete())
    assert await receiver.is_queue_empty()


async def test_a_copy_carries_whole_numbers_and_times_of_any_length(queue: Queue) -> None:
    sent = {"time": (AMQPTypes.timestamp, 1_700_000_000_000), "low": (AMQPTypes.long, -(2**63))}
    sent |= {"high": (AMQPTypes.ulong, 2**64 - 1), "short": (AMQPTypes.int, 2**31 - 1)}
    properties: Any = {name: {TYPE: kind, VALUE: value} for name, (kind, value) in sent.items()}
    await queue.send(Outgoing(b"{}", f"numbers-{uuid.uuid4()}", properties))
    receiver, delivery = await queue.take()
    for _ in range(2):
        await receiver.settle(delivery, Retry(0, delivery.history.after_wait("full")))
        _, delivery = await queue.take(receiver)
        came: Any = delivery.handle.application_properties  # type: ignore[attr-defined] # the SDK's message
        assert {name: came[name.encode()] for name in sent} == {
            name: value for name, (_, value) in sent.items()
        }
    await receiver.settle(delivery, Complete())


async def test_a_copy_that_lets_others_pass_stands_at_the_end_of_the_queue_at_once(queue: Queue) -> None:
    await queue.send(*(Outgoing(b"%d" % number, f"p{number}-{uuid.uuid4()}") for number in range(3)))
    receiver, delivery = await queue.take()
    await receiver.settle(delivery, Retry(0, delivery.history.after_yield()))
    bodies = []
    for _ in range(3):
        _, delivery = await queue.take(receiver)
        bodies.append(delivery.body)
        await receiver.settle(delivery, Complete())
    assert bodies == [b"1", b"2", b"0"]
    assert (delivery.history.yields, delivery.history.waits, delivery.redelivered) == (1, 0, True)


async def test_a_subscription_is_received_from_and_its_copies_go_to_the_queue_that_stands_in(
    broker: Broker, stack: AsyncExitStack
) -> None:
    queue = await opened(broker, stack, "jobs")
    name = "events/Subscriptions/runs"
    incoming = Sender(queue.client, name)  # the broker has a queue of that name in place of a topic
    receiver = Receiver(queue.client, name, queue.sender, watch=QueueWatch(queue=name))
    stack.push_async_callback(incoming.close)
    stack.push_async_callback(receiver.close)
    await incoming.send([job()])
    _, delivery = await queue.take(receiver)
    assert delivery.queue == name
    await receiver.settle(delivery, Retry(0, delivery.history.after_wait("full")))
    assert await receiver.is_queue_empty()
    _, copy = await queue.take()
    assert copy.body == delivery.body
    await queue.receivers[0].settle(copy, Complete())


async def test_of_the_properties_the_core_has_those_that_are_text(queue: Queue) -> None:
    await queue.send(Outgoing(b"{}", "properties", {"text": "\u00fc", "number": 5, "yes": True}))
    receiver, delivery = await queue.take()
    assert delivery.properties == {"text": "\u00fc"}
    await receiver.settle(delivery, Complete())


@pytest.mark.parametrize("seconds", [2.0**50, 1e300])
async def test_a_message_with_times_that_are_none_is_a_fault_of_the_service(
    broker: Broker, stack: AsyncExitStack, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    queue = await opened(broker, stack, "odd-times")
    await queue.send(job())
    monkeypatch.setattr(ServiceBusReceivedMessage, "enqueued_time_utc", property(lambda _: utc_from(seconds)))
    with pytest.raises(InfrastructureFault):
        await queue.take()
    monkeypatch.undo()
    receiver, delivery = await queue.take()
    assert delivery.delivery_count >= 1
    await receiver.settle(delivery, Complete())


async def test_a_copy_becomes_visible_after_its_delay(queue: Queue) -> None:
    await queue.send(job())
    receiver, delivery = await queue.take()
    began = now()
    await receiver.settle(delivery, Retry(0.5, delivery.history.after_wait("full")))
    assert not await receiver.is_queue_empty()
    _, copy = await queue.take(receiver)
    assert now() - began > 0.4
    await receiver.settle(copy, Complete())


@pytest.mark.parametrize("message_id", [None, "x" * 128, "same"], ids=["none", "long", "same"])
async def test_copies_of_different_messages_are_never_taken_for_duplicates(
    queue: Queue, message_id: str | None
) -> None:
    await queue.sender.send_messages(
        [ServiceBusMessage(b"one", message_id=message_id and f"{message_id[:-1]}1")]
    )
    await queue.sender.send_messages(
        [ServiceBusMessage(b"two", message_id=message_id and f"{message_id[:-1]}2")]
    )
    receiver = queue.receivers[0]
    for _ in range(2):
        _, delivery = await queue.take(receiver)
        await receiver.settle(delivery, Retry(0, delivery.history.after_wait("full")))
    copies = [(await queue.take(receiver))[1] for _ in range(2)]
    for copy in copies:
        await receiver.settle(copy, Complete())
    assert sorted(str(copy.body) for copy in copies) == ["b'one'", "b'two'"]
    assert all(len(copy.message_id) <= 128 for copy in copies)


async def test_a_copy_sent_again_after_a_crash_is_taken_for_a_duplicate(queue: Queue) -> None:
    await queue.send(job())
    receiver, delivery = await queue.take()
    retry = Retry(0, delivery.history.after_wait("full"))
    other = queue.receiver()
    await receiver.settle(delivery, retry)
    with pytest.raises((LockLost, InfrastructureFault)):
        await other.settle(delivery, retry)
    _, copy = await queue.take(receiver)
    await receiver.settle(copy, Complete())
    assert await receiver.is_queue_empty()


async def test_a_lock_that_has_passed_is_lost_and_one_renewed_is_kept(
    broker: Broker, stack: AsyncExitStack
) -> None:
    queue = await opened(broker, stack, "short-locks")
    await queue.send(job(), job())
    kept, lost = await asyncio.gather(queue.take(), queue.take(queue.receiver()))
    for _ in range(5):
        await asyncio.sleep(0.4)
        await kept[0].renew(kept[1])
    await kept[0].settle(kept[1], Complete())
    with pytest.raises(LockLost):
        await lost[0].renew(lost[1])
    with pytest.raises(LockLost):
        await lost[0].settle(lost[1], Complete())


async def test_a_message_is_settled_over_a_link_that_was_built_anew(queue: Queue) -> None:
    await queue.send(job())
    receiver, delivery = await queue.take()
    await receiver.close()
    await receiver.renew(delivery)
    await receiver.settle(delivery, Complete())
    assert await receiver.is_queue_empty()


async def test_a_body_that_is_no_data_is_told_apart(queue: Queue) -> None:
    for kind, body in ((AmqpMessageBodyType.VALUE, "text"), (AmqpMessageBodyType.SEQUENCE, [[1], [2]])):
        message = AmqpAnnotatedMessage(**{f"{kind.value}_body": body})  # type: ignore[arg-type] # named by the kind
        await queue.sender.send_messages([message])  # type: ignore[list-item] # the SDK takes it
        receiver, delivery = await queue.take()
        assert delivery.body is None
        await receiver.settle(delivery, Complete())


MADE_UP: list[str | int | bool] = [
    "not JSON",
    "[]",
    "1",
    "[" * 50_000,
    '{"attempts": Infinity, "copies": 1, "reasons": [], "first_enqueued_ms": 1}',
    '{"attempts": -5, "copies": 1, "reasons": [], "first_enqueued_ms": 1}',
    '{"attempts": 1, "copies": %s, "reasons": [], "first_enqueued_ms": 1}' % ("9" * 400),
    '{"attempts": 1, "copies": 1, "reasons": 7, "first_enqueued_ms": 1}',
    '{"attempts": 1, "copies": 1, "reasons": [], "first_enqueued_ms": 1e300}',
    '{"attempts": 1, "copies": 1, "reasons": [], "first_enqueued_ms": 1, "replaces": "*"}',
    '{"attempts": 1, "copies": 1, "reasons": [], "first_enqueued_ms": 1, "replaces": "\\"1\\", \\"2\\""}',
    5,
    True,
]


async def test_a_history_that_somebody_made_up_counts_for_nothing(queue: Queue) -> None:
    receiver = queue.receivers[0]
    for made_up in MADE_UP:
        await queue.send(Outgoing(b"{}", job().message_id, {"jsworker-history": made_up}))
        _, delivery = await queue.take(receiver)
        assert (delivery.history.attempts, delivery.history.copies) == (0, 0), made_up
        await receiver.settle(delivery, Complete())


async def test_many_messages_are_sent_in_as_few_batches_as_they_fit_in(queue: Queue) -> None:
    await queue.send(*[Outgoing(b"x" * 50_000, f"m{number}") for number in range(12)])
    ids = []
    for _ in range(12):
        receiver, delivery = await queue.take()
        await receiver.settle(delivery, Complete())
        ids.append(delivery.message_id)
    assert ids == [f"m{number}" for number in range(12)]


async def test_a_queue_that_does_not_exist_is_a_matter_of_configuration(
    broker: Broker, stack: AsyncExitStack
) -> None:
    queue = await opened(broker, stack, "nowhere")
    with pytest.raises(ConfigurationFault, match="JSWORKER_QUEUE"):
        await queue.receiver().receive()


async def test_a_broker_that_went_away_is_an_infrastructure_fault_and_nothing_is_stuck(
    tmp_path: Path, stack: AsyncExitStack
) -> None:
    config = BrokerConfig(data_dir=tmp_path, queues=QUEUES, key=uuid.uuid4().hex)
    async with Broker(config) as broker:
        client = ServiceBusClient.from_connection_string(broker.connection_string, retry_total=0)
        queue = Queue(await stack.enter_async_context(client), "jobs")
        stack.push_async_callback(queue.close)
        await queue.send(job())
        receiver, delivery = await queue.take()
    async with asyncio.timeout(30):
        with pytest.raises(InfrastructureFault):
            await receiver.renew(delivery)
