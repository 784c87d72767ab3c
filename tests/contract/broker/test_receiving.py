"""What receivers of the Service Bus SDK can do with messages."""

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from azure.servicebus import ServiceBusMessage, ServiceBusReceivedMessage, ServiceBusReceiveMode
from azure.servicebus.aio import ServiceBusReceiver
from azure.servicebus.exceptions import MessageLockLostError, ServiceBusError

if TYPE_CHECKING:
    from tests.contract.broker.conftest import Sdk

LANES = {"jobs": 7, "short-locks": 3}
pytestmark = pytest.mark.asyncio(loop_scope="module")


async def receive_one(receiver: ServiceBusReceiver, wait: float = 5.0) -> ServiceBusReceivedMessage:
    (message,) = await receiver.receive_messages(1, max_wait_time=wait)
    return message


async def is_empty(receiver: ServiceBusReceiver) -> bool:
    return await receiver.receive_messages(1, max_wait_time=0.3) == []


def bodies(messages: Iterable[ServiceBusReceivedMessage]) -> list[str]:
    return [str(message) for message in messages]


async def test_a_completed_message_is_gone(sdk: "Sdk") -> None:
    _, sender, receiver = sdk.take("jobs")
    await sender.send_messages(ServiceBusMessage("work"))
    message = await receive_one(receiver)
    assert (str(message), message.delivery_count) == ("work", 0)
    await receiver.complete_message(message)
    assert await is_empty(receiver)
    assert await receiver.peek_messages(1) == []


async def test_an_abandoned_message_comes_back_first_until_its_deliveries_are_used_up(sdk: "Sdk") -> None:
    queue, sender, receiver = sdk.take("jobs")
    await sender.send_messages([ServiceBusMessage("first"), ServiceBusMessage("second")])
    for count in range(3):
        message = await receive_one(receiver)
        assert (str(message), message.delivery_count) == ("first", count)
        await receiver.abandon_message(message)
    assert str(await receive_one(receiver)) == "second"
    (dead_letters,) = await sdk.receivers(queue, sub_queue="deadletter")
    dead = await receive_one(dead_letters)
    assert (str(dead), dead.dead_letter_reason) == ("first", "MaxDeliveryCountExceeded")


async def test_a_dead_lettered_message_is_settled_in_the_dead_letter_queue(sdk: "Sdk") -> None:
    queue, sender, receiver = sdk.take("jobs")
    sent = ServiceBusMessage("poison", application_properties={"kind": "job", "DeadLetterReason": "mine"})
    await sender.send_messages(sent)
    await receiver.dead_letter_message(
        await receive_one(receiver), reason="invalid_job", error_description="code: field required"
    )
    assert await is_empty(receiver)
    (dead_letters,) = await sdk.receivers(queue, sub_queue="deadletter")
    assert bodies(await dead_letters.peek_messages(5)) == ["poison"]
    dead = await receive_one(dead_letters)
    assert (dead.dead_letter_reason, dead.dead_letter_error_description) == (
        "invalid_job",
        "code: field required",
    )
    assert dead.application_properties
    assert dead.application_properties[b"kind"] == b"job"
    await dead_letters.renew_message_lock(dead)
    await dead_letters.complete_message(dead)
    assert await dead_letters.peek_messages(1) == []


async def test_a_deferred_message_is_received_by_its_sequence_number_only(sdk: "Sdk") -> None:
    _, sender, receiver = sdk.take("jobs")
    await sender.send_messages([ServiceBusMessage("later"), ServiceBusMessage("now")])
    later = await receive_one(receiver)
    assert later.sequence_number
    await receiver.defer_message(later)
    assert str(await receive_one(receiver)) == "now"
    peeked = await receiver.peek_messages(2, sequence_number=1)
    assert [message.state.name for message in peeked] == ["DEFERRED", "ACTIVE"]
    (again,) = await receiver.receive_deferred_messages([later.sequence_number])
    assert str(again) == "later"
    await receiver.abandon_message(again)
    (again,) = await receiver.receive_deferred_messages([later.sequence_number])
    assert again.delivery_count == 1
    await receiver.dead_letter_message(again, reason="old")
    with pytest.raises(ServiceBusError):
        await receiver.receive_deferred_messages([later.sequence_number])


async def test_a_message_is_given_out_again_when_its_lock_expires(sdk: "Sdk") -> None:
    queue, sender, receiver = sdk.take("short-locks")
    (other,) = await sdk.receivers(queue)
    await sender.send_messages(ServiceBusMessage("slow"))
    first = await receive_one(receiver)
    assert await is_empty(other)
    second = await receive_one(other)
    assert second.delivery_count == 1
    with pytest.raises(MessageLockLostError):
        await receiver.renew_message_lock(first)
    first._expiry = datetime.now(UTC) + timedelta(hours=1)  # as with a clock that is slow
    with pytest.raises(MessageLockLostError):
        await receiver.complete_message(first)
    await other.complete_message(second)


async def test_lock_expiry_uses_up_deliveries(sdk: "Sdk") -> None:
    queue, sender, receiver = sdk.take("short-locks")
    await sender.send_messages(ServiceBusMessage("fatal"))
    for count in range(2):
        assert (await receive_one(receiver)).delivery_count == count
    (dead_letters,) = await sdk.receivers(queue, sub_queue="deadletter")
    assert (await receive_one(dead_letters)).dead_letter_reason == "MaxDeliveryCountExceeded"


async def test_a_renewed_lock_holds_on(sdk: "Sdk") -> None:
    queue, sender, receiver = sdk.take("short-locks")
    (other,) = await sdk.receivers(queue)
    await sender.send_messages(ServiceBusMessage("long"))
    message = await receive_one(receiver)
    for _ in range(3):
        before = message.locked_until_utc
        assert await other.receive_messages(1, max_wait_time=0.7) == []
        assert await receiver.renew_message_lock(message) > before
    await receiver.complete_message(message)
    assert await is_empty(other)


async def test_a_closing_receiver_gives_back_what_it_did_not_show(sdk: "Sdk") -> None:
    queue, sender, receiver = sdk.take("jobs")
    (hoarder,) = await sdk.receivers(queue, prefetch_count=10)
    await sender.send_messages([ServiceBusMessage(str(number)) for number in range(4)])
    taken = await receive_one(hoarder)
    await hoarder.close()
    rest = [await receive_one(receiver) for _ in range(3)]
    assert str(taken) == "0"
    assert [(str(message), message.delivery_count) for message in rest] == [("1", 0), ("2", 0), ("3", 0)]


async def test_receive_and_delete_leaves_nothing(sdk: "Sdk") -> None:
    queue, sender, receiver = sdk.take("jobs")
    (taker,) = await sdk.receivers(queue, receive_mode=ServiceBusReceiveMode.RECEIVE_AND_DELETE)
    await sender.send_messages([ServiceBusMessage("a"), ServiceBusMessage("b")])
    assert bodies([await receive_one(taker), await receive_one(taker)]) == ["a", "b"]
    assert await receiver.peek_messages(1) == []


async def test_sixteen_receivers_share_a_queue_and_each_message_goes_to_one(sdk: "Sdk") -> None:
    queue, sender, receiver = sdk.take("jobs")
    receivers = [receiver, *await sdk.receivers(queue, 15)]
    await sender.send_messages([ServiceBusMessage(str(number)) for number in range(160)])
    done: list[str] = []

    async def work(receiver: ServiceBusReceiver) -> None:
        while len(done) < 160:
            for message in await receiver.receive_messages(1, max_wait_time=1):
                await receiver.complete_message(message)
                done.append(str(message))

    await asyncio.gather(*map(work, receivers))
    assert sorted(done, key=int) == [str(number) for number in range(160)]
