"""Looking at a queue and its dead letters, against the local stack's broker."""

from __future__ import annotations

import asyncio
import uuid
from contextlib import AsyncExitStack, aclosing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from azure.servicebus import ServiceBusMessage
from azure.servicebus.aio import ServiceBusClient
from azure.servicebus.amqp import AmqpAnnotatedMessage

from worker.browsing import PAGE, Browser, Browsers, seen
from worker.faults import ConfigurationFault
from worker.local.broker import Broker, BrokerConfig, QueueSettings
from worker.settlement import History

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from worker.messages import Property
    from worker.seen import Seen

pytestmark = pytest.mark.asyncio(loop_scope="module")
NAMES = ("pages", "states", "dead", "broken-off", "one", "events/Subscriptions/runs")
QUEUES = tuple(
    QueueSettings(name=name, max_delivery_count=1, dead_lettering_on_expiration=True) for name in NAMES
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ServiceBusClient]:
    config = BrokerConfig(data_dir=tmp_path_factory.mktemp("broker"), queues=QUEUES, key=uuid.uuid4().hex)
    async with AsyncExitStack() as stack:
        broker = await stack.enter_async_context(Broker(config))
        yield await stack.enter_async_context(
            ServiceBusClient.from_connection_string(broker.connection_string, retry_total=0)
        )


async def send(client: ServiceBusClient, queue: str, *messages: ServiceBusMessage) -> None:
    async with client.get_queue_sender(queue) as sender:
        await sender.send_messages(list(messages))


async def look(browser: Browser, *, dead: bool = False, start: int = 1) -> list[Seen]:
    async with aclosing(browser.messages(dead=dead, start=start)) as messages:
        return [message async for message in messages]


async def test_all_messages_are_seen_in_their_order_whatever_their_number(client: ServiceBusClient) -> None:
    count = 2 * PAGE + 3
    await send(client, "pages", *(ServiceBusMessage(b"%d" % n) for n in range(count)))
    browser = Browser(client, "pages")
    assert [message.body for message in await look(browser)] == [b"%d" % n for n in range(count)]
    assert [message.body for message in await look(browser, start=count)] == [b"%d" % (count - 1)]
    async with aclosing(browser.messages(most=PAGE + 1)) as some:
        assert len([message async for message in some]) == 2 * PAGE
    assert await look(browser, dead=True) == []
    await browser.close()


async def test_several_queues_are_looked_at_one_after_the_other_and_messages_say_where_they_are(
    client: ServiceBusClient,
) -> None:
    await send(client, "one", ServiceBusMessage(b"1"), ServiceBusMessage(b"2"))
    await send(client, "events/Subscriptions/runs", ServiceBusMessage(b"3"))
    names = ("one", "events/Subscriptions/runs")
    browsers = Browsers([Browser(client, name) for name in names])
    async with aclosing(browsers.messages()) as messages:
        found = [(message.queue, message.body) async for message in messages]
    assert found == [("one", b"1"), ("one", b"2"), (names[1], b"3")]
    await browsers.close()


async def test_what_is_locked_or_scheduled_is_seen_and_remains_as_it_was(client: ServiceBusClient) -> None:
    later = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
    properties: dict[str | bytes, Property] = {
        "jsworker-history": '{"attempts":1,"copies":2,"reasons":["x\\ud800"],"first_enqueued_ms":5}'
    }
    await send(
        client,
        "states",
        ServiceBusMessage(b"1", message_id="a", application_properties=properties),
        ServiceBusMessage(b"2", message_id="b", scheduled_enqueue_time_utc=later),
        AmqpAnnotatedMessage(value_body="no data"),  # type: ignore[arg-type] # the SDK takes it
    )
    browser = Browser(client, "states")
    async with client.get_queue_receiver("states") as receiver:
        (held,) = await receiver.receive_messages(1)
        first, second, third = await look(browser)
        await receiver.renew_message_lock(held)
        await receiver.complete_message(held)
    assert (first.message_id, first.body, first.state, first.delivery_count) == ("a", b"1", "active", 0)
    assert first.history == History(1, 2, ("x?",), 5, origin=first.sequence_number)
    assert (second.state, second.scheduled_at, third.body) == ("scheduled", later, None)
    assert [message.message_id for message in await look(browser)] == ["b", third.message_id]
    await browser.close()


async def test_a_dead_letter_says_who_made_it_why_and_keeps_its_number(client: ServiceBusClient) -> None:
    await send(client, "dead", ServiceBusMessage(b"1"), ServiceBusMessage(b"2"), ServiceBusMessage(b"3"))
    browser = Browser(client, "dead")
    async with client.get_queue_receiver("dead") as receiver:
        messages = [(await receiver.receive_messages(1))[0] for _ in range(3)]
        numbers = [message.sequence_number for message in messages]
        await receiver.abandon_message(messages[0])
        await receiver.dead_letter_message(messages[1], reason="invalid_job", error_description="id: no")
        await receiver.dead_letter_message(messages[2])
    letters = await look(browser, dead=True)
    assert [letter.sequence_number for letter in letters] == numbers
    assert [letter.reason for letter in letters] == ["MaxDeliveryCountExceeded", "invalid_job", None]
    assert letters[1].description == "id: no"
    assert letters[0].delivery_count == 1
    await browser.close()


async def test_a_look_that_is_broken_off_closes_its_link_and_others_go_on(client: ServiceBusClient) -> None:
    await send(client, "broken-off", ServiceBusMessage(b"1"), ServiceBusMessage(b"2"))
    browser = Browser(client, "broken-off")
    async with aclosing(browser.messages()) as messages:
        first = await anext(messages)
        both = await asyncio.gather(look(browser), look(browser, dead=True))
    assert first.body == b"1"
    assert [len(found) for found in both] == [2, 0]
    await browser.close()


async def test_a_queue_that_does_not_exist_is_a_matter_of_configuration(client: ServiceBusClient) -> None:
    with pytest.raises(ConfigurationFault, match="JSWORKER_QUEUE"):
        await look(Browser(client, "nowhere"))


class JustGone:
    """A message that is completed while it is looked at: the SDK has no name for its state."""

    state = 3
    sequence_number, message_id, delivery_count = 1, "m", 0
    enqueued_time_utc = scheduled_enqueue_time_utc = expires_at_utc = None
    body_type = body = application_properties = content_type = None


async def test_a_message_that_is_just_gone_is_seen_as_any_other() -> None:
    message = seen(JustGone(), "")  # type: ignore[arg-type] # what is asked of the SDK's
    assert (message.sequence_number, message.state) == (1, "active")


async def test_a_property_whose_name_is_no_text_is_passed_over() -> None:
    odd: Any = JustGone()
    odd.application_properties = {5: b"a", None: b"b", b"\xff": b"c", b"kind": b"job"}
    message = seen(odd, "")
    assert message.properties == {"kind": "job"}
