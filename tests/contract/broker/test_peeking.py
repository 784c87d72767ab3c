"""What peeking shows of a message, in the queue and in its dead-letter queue, and that it changes nothing."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from azure.servicebus import ServiceBusMessage, ServiceBusMessageState

if TYPE_CHECKING:
    from tests.contract.broker.conftest import Sdk

LANES = {"jobs": 4, "buries": 1}
pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_peeked_dead_letter_keeps_its_number_and_count_and_tells_why(sdk: "Sdk") -> None:
    queue, sender, receiver = sdk.take("jobs")
    await sender.send_messages([ServiceBusMessage("healthy"), ServiceBusMessage("poison", message_id="p1")])
    healthy, poison = await receiver.receive_messages(2, max_wait_time=5)
    await receiver.abandon_message(poison)
    (again,) = await receiver.receive_messages(1, max_wait_time=5)
    await receiver.dead_letter_message(again, reason="invalid_job", error_description="no code")
    await receiver.complete_message(healthy)
    (dead_letters,) = await sdk.receivers(queue, sub_queue="deadletter")
    for _ in range(2):
        (dead,) = await dead_letters.peek_messages(10, sequence_number=1)
        assert (dead.dead_letter_reason, dead.dead_letter_error_description) == ("invalid_job", "no code")
        assert (dead.message_id, str(dead)) == ("p1", "poison")
        assert dead.sequence_number == poison.sequence_number
        assert dead.delivery_count == 1
        assert dead.enqueued_time_utc == poison.enqueued_time_utc


async def test_a_message_buried_for_its_deliveries_shows_them_when_peeked(sdk: "Sdk") -> None:
    queue, sender, receiver = sdk.take("jobs")
    await sender.send_messages(ServiceBusMessage("fatal"))
    for _ in range(3):
        (message,) = await receiver.receive_messages(1, max_wait_time=5)
        await receiver.abandon_message(message)
    (dead_letters,) = await sdk.receivers(queue, sub_queue="deadletter")
    (dead,) = await dead_letters.peek_messages(10, sequence_number=1)
    assert (dead.dead_letter_reason, dead.delivery_count) == ("MaxDeliveryCountExceeded", 3)
    assert dead.sequence_number == message.sequence_number
    assert "3 delivery attempts" in str(dead.dead_letter_error_description)


async def test_a_message_buried_for_its_age_tells_so_when_peeked(sdk: "Sdk") -> None:
    queue, sender, _ = sdk.take("buries")
    (dead_letters,) = await sdk.receivers(queue, sub_queue="deadletter")
    await sender.send_messages(ServiceBusMessage("old", time_to_live=timedelta(seconds=1)))
    (received,) = await dead_letters.receive_messages(1, max_wait_time=5)
    (dead,) = await dead_letters.peek_messages(10, sequence_number=1)
    assert (dead.dead_letter_reason, dead.delivery_count) == ("TTLExpiredException", 0)
    assert dead.sequence_number == received.sequence_number == 1


async def test_dead_letters_are_peeked_by_their_numbers_page_by_page(sdk: "Sdk") -> None:
    queue, sender, receiver = sdk.take("jobs")
    await sender.send_messages([ServiceBusMessage(str(number)) for number in range(5)])
    for message in await receiver.receive_messages(5, max_wait_time=5):
        if str(message) in "024":
            await receiver.dead_letter_message(message, reason="even")
    (dead_letters,) = await sdk.receivers(queue, sub_queue="deadletter")
    first = await dead_letters.peek_messages(2, sequence_number=1)
    rest = await dead_letters.peek_messages(2, sequence_number=(first[-1].sequence_number or 0) + 1)
    assert [(str(dead), dead.sequence_number) for dead in first + rest] == [("0", 1), ("2", 3), ("4", 5)]


async def test_peeking_tells_active_from_scheduled_and_when_it_is_due(sdk: "Sdk") -> None:
    _, sender, receiver = sdk.take("jobs")
    due = (datetime.now(UTC) + timedelta(hours=1)).replace(microsecond=0)
    await sender.send_messages(ServiceBusMessage("now"))
    await sender.schedule_messages(ServiceBusMessage("by request"), due)
    await sender.send_messages(ServiceBusMessage("by property", scheduled_enqueue_time_utc=due))
    shown = await receiver.peek_messages(10, sequence_number=1)
    active, scheduled = ServiceBusMessageState.ACTIVE, ServiceBusMessageState.SCHEDULED
    assert [(str(message), message.state, message.scheduled_enqueue_time_utc) for message in shown] == [
        ("now", active, None),
        ("by request", scheduled, due),
        ("by property", scheduled, due),
    ]
