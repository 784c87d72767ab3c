"""Topics and subscriptions as the Service Bus SDK uses them."""

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from azure.servicebus import ServiceBusMessage, ServiceBusMessageState
from azure.servicebus.exceptions import (
    MessageSizeExceededError,
    MessagingEntityNotFoundError,
    ServiceBusError,
)

if TYPE_CHECKING:
    from tests.contract.broker.conftest import Sdk


def rule(name: str, **kinds: Any) -> dict[str, Any]:  # noqa: ANN401 - what JSON has
    return {"name": name, "filter": kinds}


LANES: dict[str, int] = {}
TOPICS: list[dict[str, Any]] = [
    {
        "name": "Shop",
        "max_message_bytes": 4096,
        "subscriptions": [
            {"name": "red", "rules": [rule("r", sql="colour = 'red' AND sys.Label LIKE 'order%'")]},
            {
                "name": "picked",
                "rules": [
                    rule("large", sql="size >= 10 OR urgent = TRUE"),
                    rule("answers", correlation={"correlation_id": "c1", "properties": {"size": 1}}),
                    rule("never", false=True),
                ],
            },
            {"name": "all"},
        ],
    },
    {"name": "settled", "subscriptions": [{"name": "a", "max_delivery_count": 2}, {"name": "b"}]},
    {
        "name": "unique",
        "duplicate_detection_window_seconds": 60,
        "subscriptions": [{"name": "a"}, {"name": "some", "rules": [rule("r", sql="keep = 1")]}],
    },
    {"name": "later", "subscriptions": [{"name": "a"}, {"name": "b", "rules": [rule("r", sql="n > 1")]}]},
    {"name": "cancelled", "subscriptions": [{"name": "a"}]},
    {
        "name": "brief",
        "default_ttl_seconds": 0.5,
        "subscriptions": [{"name": "buries", "dead_lettering_on_expiration": True}, {"name": "drops"}],
    },
    {"name": "closed", "subscriptions": [{"name": "a"}]},
    {"name": "nobody"},
    {"name": "woken", "subscriptions": [{"name": "a"}, {"name": "b"}]},
]
pytestmark = pytest.mark.asyncio(loop_scope="module")


async def opened(sdk: "Sdk", topic: str, *subscriptions: str, **options: Any) -> Sequence[Any]:  # noqa: ANN401 - the SDK's
    """Return a sender of a topic and receivers of its subscriptions."""
    sender = sdk.client.get_topic_sender(topic)
    receivers = [sdk.client.get_subscription_receiver(topic, name, **options) for name in subscriptions]
    await sdk.enter(sender, *receivers)
    return sender, *receivers


async def peeked(receiver: Any) -> list[str]:  # noqa: ANN401 - the SDK's
    return [str(message) for message in await receiver.peek_messages(50, sequence_number=1)]


def coloured(body: str, subject: str = "order", **properties: Any) -> ServiceBusMessage:  # noqa: ANN401 - the SDK's
    message = ServiceBusMessage(body, subject=subject, correlation_id="c1")
    message.application_properties = {name: properties[name] for name in properties}
    return message


async def test_each_subscription_gets_one_copy_of_what_its_rules_let_in(sdk: "Sdk") -> None:
    sender, red, picked, everything = await opened(sdk, "shop", "RED", "picked", "all")
    await sender.send_messages(coloured("1", colour="red", size=20, urgent=True))
    batch = await sender.create_message_batch()
    batch.add_message(coloured("2", colour="green", size=1))
    batch.add_message(coloured("3", subject="offer", colour="red", size=2))
    batch.add_message(coloured("4", COLOUR="red", urgent=True))
    await sender.send_messages(batch)
    assert await peeked(red) == ["1", "4"]
    assert await peeked(picked) == ["1", "2", "4"]
    assert await peeked(everything) == ["1", "2", "3", "4"]
    (got,) = await red.receive_messages(1, max_wait_time=5)
    assert (got.subject, got.application_properties[b"size"], got.sequence_number) == ("order", 20, 1)
    await red.complete_message(got)
    assert await peeked(red) == ["4"]
    assert await peeked(picked) == ["1", "2", "4"]


async def test_a_message_larger_than_the_topic_allows_is_refused(sdk: "Sdk") -> None:
    (sender,) = await opened(sdk, "shop")
    with pytest.raises(MessageSizeExceededError):
        await sender.send_messages(ServiceBusMessage("x" * 5000))


async def test_each_subscription_settles_as_a_queue_does(sdk: "Sdk") -> None:
    sender, mine, other = await opened(sdk, "settled", "a", "b")
    (dead_letters,) = (await opened(sdk, "settled", "a", sub_queue="deadletter"))[1:]
    await sender.send_messages([ServiceBusMessage(body) for body in ("bury", "abandon", "defer", "hold")])
    bury, abandon, defer, hold = await mine.receive_messages(4, max_wait_time=5)
    await mine.dead_letter_message(bury, reason="wrong", error_description="very")
    await mine.abandon_message(abandon)
    await mine.defer_message(defer)
    assert await mine.renew_message_lock(hold) > datetime.now(UTC)
    (again,) = await mine.receive_messages(1, max_wait_time=5)
    assert (str(again), again.delivery_count) == ("abandon", 1)
    await mine.abandon_message(again)
    (aside,) = await mine.receive_deferred_messages([defer.sequence_number])
    await mine.complete_message(aside)
    dead = [(await dead_letters.receive_messages(1, max_wait_time=5))[0] for _ in range(2)]
    assert [(str(message), message.dead_letter_reason) for message in dead] == [
        ("bury", "wrong"),
        ("abandon", "MaxDeliveryCountExceeded"),
    ]
    assert await peeked(mine) == ["hold"]
    assert await peeked(other) == ["bury", "abandon", "defer", "hold"]


async def test_a_duplicate_comes_into_no_subscription(sdk: "Sdk") -> None:
    sender, first, some = await opened(sdk, "unique", "a", "some")
    await sender.send_messages(ServiceBusMessage("one", message_id="same"))
    again = ServiceBusMessage("two", message_id="same", application_properties={"keep": 1})
    other = ServiceBusMessage("three", message_id="other", application_properties={"keep": 1})
    await sender.send_messages([again, other])
    assert await sender.schedule_messages(again, datetime.now(UTC) + timedelta(hours=1)) == [0]
    assert await peeked(first) == ["one", "three"]
    assert await peeked(some) == ["three"]


async def test_scheduled_messages_are_handed_out_when_due(sdk: "Sdk") -> None:
    sender, first, some = await opened(sdk, "later", "a", "b")
    due = datetime.now(UTC) + timedelta(seconds=1.2)
    requested = [ServiceBusMessage(f"{n}", application_properties={"n": n}) for n in (1, 2)]
    assert await sender.schedule_messages(requested, due) == [1, 2]
    annotated = ServiceBusMessage(
        "3", application_properties={"n": 3}, scheduled_enqueue_time_utc=due + timedelta(seconds=0.1)
    )
    await sender.send_messages(annotated)
    await sender.send_messages(ServiceBusMessage("now"))
    assert await peeked(first) == ["now"]
    assert await sender.schedule_messages(ServiceBusMessage("past"), due - timedelta(hours=1)) == [5]
    got = [(await first.receive_messages(1, max_wait_time=5))[0] for _ in range(5)]
    assert [str(message) for message in got] == ["now", "past", "1", "2", "3"]
    assert {message.state for message in got} == {ServiceBusMessageState.ACTIVE}
    assert datetime.now(UTC) >= due
    assert got[2].enqueued_time_utc >= due - timedelta(milliseconds=1)
    assert await peeked(some) == ["2", "3"]


async def test_scheduled_messages_of_a_topic_can_be_cancelled_once_and_together(sdk: "Sdk") -> None:
    sender, receiver = await opened(sdk, "cancelled", "a")
    due = datetime.now(UTC) + timedelta(seconds=1)
    numbers = await sender.schedule_messages([ServiceBusMessage(body) for body in "abc"], due)
    await sender.cancel_scheduled_messages(numbers[:2])
    with pytest.raises(ServiceBusError):
        await sender.cancel_scheduled_messages(numbers)
    assert [str(message) for message in await receiver.receive_messages(3, max_wait_time=5)] == ["c"]


async def test_the_time_to_live_of_the_topic_counts_in_its_subscriptions(sdk: "Sdk") -> None:
    sender, drops = await opened(sdk, "brief", "drops")
    (dead_letters,) = (await opened(sdk, "brief", "buries", sub_queue="deadletter"))[1:]
    await sender.send_messages(ServiceBusMessage("gone", time_to_live=timedelta(hours=1)))
    (dead,) = await dead_letters.receive_messages(1, max_wait_time=5)
    assert (str(dead), dead.dead_letter_reason) == ("gone", "TTLExpiredException")
    assert await peeked(drops) == []


async def test_a_topic_without_subscriptions_takes_messages_and_keeps_none(sdk: "Sdk") -> None:
    (sender,) = await opened(sdk, "nobody")
    await sender.send_messages(ServiceBusMessage("heard by nobody"))


async def test_receiving_from_a_topic_is_refused(sdk: "Sdk") -> None:
    receiver = sdk.client.get_queue_receiver("closed")
    with pytest.raises(ServiceBusError, match="'closed' is a topic: receive from a subscription"):
        async with receiver:
            await receiver.receive_messages(1, max_wait_time=1)


async def test_sending_to_a_subscription_is_refused(sdk: "Sdk") -> None:
    sender = sdk.client.get_queue_sender("closed/Subscriptions/a")
    with pytest.raises(ServiceBusError, match="is a subscription: send to its topic"):
        async with sender:
            await sender.send_messages(ServiceBusMessage("astray"))


async def test_an_unknown_subscription_is_not_found(sdk: "Sdk") -> None:
    with pytest.raises(MessagingEntityNotFoundError, match="closed/subscriptions/none"):
        await opened(sdk, "closed", "none")


async def test_waiting_receivers_of_all_subscriptions_are_woken(sdk: "Sdk") -> None:
    sender, first, second = await opened(sdk, "woken", "a", "b")
    waiting = [asyncio.ensure_future(end.receive_messages(1, max_wait_time=5)) for end in (first, second)]
    began = time.monotonic()
    await sender.send_messages(ServiceBusMessage("x"))
    assert [[str(message) for message in got] for got in await asyncio.gather(*waiting)] == [["x"], ["x"]]
    assert time.monotonic() - began < 4
