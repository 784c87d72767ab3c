"""What senders of the Service Bus SDK can put into a queue, and what becomes of it."""

import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from azure.servicebus import ServiceBusMessage, ServiceBusMessageState, ServiceBusReceivedMessage
from azure.servicebus.exceptions import MessageSizeExceededError, ServiceBusError

if TYPE_CHECKING:
    from tests.contract.broker.conftest import Sdk

LANES = {"jobs": 7, "small": 1, "drops": 1, "buries": 1, "unique": 1}
pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_message_arrives_as_it_was_sent(sdk: "Sdk") -> None:
    _, sender, receiver = sdk.take("jobs")
    sent = ServiceBusMessage(
        b"\x00\xff body",
        message_id="m1",
        correlation_id="c1",
        content_type="application/json",
        subject="job",
        reply_to="answers",
        time_to_live=timedelta(hours=1),
        application_properties={"text": "ä", "number": 7, "real": 0.5, "flag": True},
    )
    sent.raw_amqp_message.annotations = {"x-opt-mine": "kept", "x-opt-partition-key": "p"}
    before = datetime.now(UTC) - timedelta(seconds=1)
    await sender.send_messages(sent)
    (got,) = await receiver.receive_messages(1, max_wait_time=5)
    assert b"".join(got.body) == b"\x00\xff body"
    assert (got.message_id, got.correlation_id, got.subject) == ("m1", "c1", "job")
    assert (got.content_type, got.reply_to, got.partition_key) == ("application/json", "answers", "p")
    assert got.time_to_live == timedelta(hours=1)
    properties = {b"text": "ä".encode(), b"number": 7, b"real": 0.5, b"flag": True}
    assert got.application_properties == properties
    assert got.raw_amqp_message.annotations[b"x-opt-mine"] == b"kept"
    assert before < got.enqueued_time_utc < got.locked_until_utc
    assert (got.sequence_number, got.delivery_count) == (1, 0)


async def test_a_batch_arrives_as_its_messages_in_order(sdk: "Sdk") -> None:
    _, sender, receiver = sdk.take("jobs")
    batch = await sender.create_message_batch()
    for number in range(50):
        batch.add_message(ServiceBusMessage(f"batch {number}"))
    await sender.send_messages(batch)
    await sender.send_messages([ServiceBusMessage("list")])
    got: list[ServiceBusReceivedMessage] = []
    while len(got) < 51:
        got += await receiver.receive_messages(51 - len(got), max_wait_time=5)
    assert [str(message) for message in got] == [*(f"batch {number}" for number in range(50)), "list"]


async def test_200_kilobytes_pass_both_ways(sdk: "Sdk") -> None:
    _, sender, receiver = sdk.take("jobs")
    body = os.urandom(200 * 1024)
    await sender.send_messages(ServiceBusMessage(body))
    (got,) = await receiver.receive_messages(1, max_wait_time=5)
    assert b"".join(got.body) == body
    await receiver.complete_message(got)


async def test_a_message_larger_than_the_queue_allows_is_refused(sdk: "Sdk") -> None:
    _, sender, receiver = sdk.take("small")
    with pytest.raises(MessageSizeExceededError):
        await sender.send_messages(ServiceBusMessage("x" * 3000))
    await sender.send_messages(ServiceBusMessage("x" * 1500))
    assert len(await receiver.peek_messages(2)) == 1


@pytest.mark.parametrize("by_request", [True, False])
async def test_a_scheduled_message_is_held_back_until_its_time(sdk: "Sdk", by_request: bool) -> None:  # noqa: FBT001 - parametrized
    _, sender, receiver = sdk.take("jobs")
    due = datetime.now(UTC) + timedelta(seconds=1.2)
    message = ServiceBusMessage("later")
    if by_request:
        assert await sender.schedule_messages(message, due) == [1]
    else:
        message.scheduled_enqueue_time_utc = due
        await sender.send_messages(message)
    (waiting,) = await receiver.peek_messages(1)
    assert (waiting.state, waiting.sequence_number) == (ServiceBusMessageState.SCHEDULED, 1)
    await sender.send_messages(ServiceBusMessage("now"))
    got = [(await receiver.receive_messages(1, max_wait_time=5))[0] for _ in range(2)]
    assert datetime.now(UTC) >= due
    assert [(str(message), message.sequence_number) for message in got] == [("now", 2), ("later", 3)]


async def test_a_scheduled_message_can_be_cancelled_once(sdk: "Sdk") -> None:
    _, sender, _ = sdk.take("jobs")
    due = datetime.now(UTC) + timedelta(hours=1)
    numbers = await sender.schedule_messages([ServiceBusMessage("a"), ServiceBusMessage("b")], due)
    await sender.cancel_scheduled_messages(numbers)
    with pytest.raises(ServiceBusError) as refusal:
        await sender.cancel_scheduled_messages(numbers)
    assert "message-not-found" in repr(refusal.value) or "404" in repr(refusal.value)


async def test_an_expired_message_is_dropped_or_dead_lettered_as_the_queue_says(sdk: "Sdk") -> None:
    _, sender, receiver = sdk.take("drops")
    burying_queue, burying, _ = sdk.take("buries")
    (dead_letters,) = await sdk.receivers(burying_queue, sub_queue="deadletter")
    await sender.send_messages(ServiceBusMessage("dropped"))
    await burying.send_messages(ServiceBusMessage("buried", time_to_live=timedelta(seconds=1)))
    (dead,) = await dead_letters.receive_messages(1, max_wait_time=5)
    assert (str(dead), dead.dead_letter_reason) == ("buried", "TTLExpiredException")
    assert await receiver.peek_messages(1) == []


async def test_a_duplicate_is_accepted_and_dropped(sdk: "Sdk") -> None:
    _, sender, receiver = sdk.take("unique")
    await sender.send_messages(ServiceBusMessage("one", message_id="same"))
    (first,) = await receiver.receive_messages(1, max_wait_time=5)
    await receiver.complete_message(first)
    await sender.send_messages(ServiceBusMessage("two", message_id="same"))
    await sender.send_messages(
        [ServiceBusMessage("three", message_id="same"), ServiceBusMessage("four", message_id="other")]
    )
    assert [str(message) for message in await receiver.peek_messages(5)] == ["four"]


async def test_peeking_walks_through_messages_of_every_state(sdk: "Sdk") -> None:
    _, sender, receiver = sdk.take("jobs")
    await sender.send_messages([ServiceBusMessage(str(number)) for number in range(5)])
    await receiver.receive_messages(1, max_wait_time=5)
    first = await receiver.peek_messages(2, sequence_number=1)
    rest = await receiver.peek_messages(10)
    assert [str(message) for message in first + rest] == list("01234")
    again = await receiver.peek_messages(1, sequence_number=first[1].sequence_number)
    assert [str(message) for message in again] == ["1"]
