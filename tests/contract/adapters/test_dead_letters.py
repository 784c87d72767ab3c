"""Dead letters under lock, against the local stack's broker."""

from __future__ import annotations

import json
import uuid
from contextlib import AsyncExitStack, aclosing
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from azure.servicebus import ServiceBusMessage
from azure.servicebus.aio import ServiceBusClient

from worker.browsing import Browser
from worker.dead_letter_queue import DeadLetterQueue
from worker.faults import ConfigurationFault, LockLost
from worker.local.broker import Broker, BrokerConfig, QueueSettings
from worker.servicebus import Sender
from worker.settlement import History

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from azure.servicebus import ServiceBusReceivedMessage

    from worker.messages import Property
    from worker.replaying import Taken

pytestmark = pytest.mark.asyncio(loop_scope="module")
QUEUES = (
    QueueSettings(name="jobs", max_delivery_count=3, duplicate_detection_window_seconds=60),
    QueueSettings(name="short-locks", lock_duration_seconds=1.5, max_delivery_count=2),
)


class Graveyard:
    """One queue with its dead letters."""

    def __init__(self, client: ServiceBusClient, name: str) -> None:
        self.client, self.name = client, name
        self._sender = Sender(client, name)
        self.queue = DeadLetterQueue(client, name, self._sender)
        self._browser = Browser(client, name)

    async def bury(self, *messages: ServiceBusMessage) -> None:
        await self._sender.send_messages(list(messages))
        async with self.client.get_queue_receiver(self.name) as receiver:
            for _ in messages:
                (message,) = await receiver.receive_messages(1)
                await receiver.dead_letter_message(message, reason="spam", error_description="odd")

    async def dead(self) -> list[bytes | None]:
        async with aclosing(self._browser.messages(dead=True)) as letters:
            return [letter.body async for letter in letters]

    async def taken(self) -> ServiceBusReceivedMessage:
        """A message of the queue itself, completed."""
        async with self.client.get_queue_receiver(self.name) as receiver:
            (message,) = await receiver.receive_messages(1)
            await receiver.complete_message(message)
        return message

    async def close(self) -> None:
        await self.queue.close()
        await self._browser.close()
        await self._sender.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ServiceBusClient]:
    config = BrokerConfig(data_dir=tmp_path_factory.mktemp("broker"), queues=QUEUES, key=uuid.uuid4().hex)
    async with AsyncExitStack() as stack:
        broker = await stack.enter_async_context(Broker(config))
        yield await stack.enter_async_context(
            ServiceBusClient.from_connection_string(broker.connection_string, retry_total=0)
        )


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def yard(client: ServiceBusClient) -> AsyncIterator[Graveyard]:
    yard = Graveyard(client, "jobs")
    yield yard
    await yard.close()


async def test_a_letter_is_taken_with_its_story_and_put_back_as_often_as_one_likes(yard: Graveyard) -> None:
    await yard.bury(ServiceBusMessage(b"1", message_id="a"), ServiceBusMessage(b"2", message_id="b"))
    for _ in range(5):  # more often than the queue delivers: dead letters have no maximum
        batch: list[Taken] = []
        while len(batch) < 2:
            batch += await yard.queue.receive(10)
        assert sorted(taken.letter.body or b"" for taken in batch) == [b"1", b"2"]
        assert (batch[0].letter.reason, batch[0].letter.description) == ("spam", "odd")
        assert batch[0].delivery.lock_seconds > 50
        await yard.queue.renew(batch[0])
        for taken in batch:
            await yard.queue.abandon(taken)
    assert await yard.dead() == [b"1", b"2"]
    while await yard.dead():
        for taken in await yard.queue.receive(10):
            await yard.queue.complete(taken)
    assert await yard.queue.receive(10) == []


async def test_a_copy_is_as_its_original_was_before_it_died(yard: Graveyard) -> None:
    properties: dict[str | bytes, Property] = {"kind": "job", "jsworker-history": "not ours"}
    await yard.bury(
        ServiceBusMessage(
            b'{"n": 1}',
            message_id="c",
            application_properties=properties,
            correlation_id="x",
            content_type="application/json",
            subject="s",
            time_to_live=timedelta(hours=2),
        )
    )
    (taken,) = await yard.queue.receive(1)
    history = History(copies=1, reasons=("why",), first_enqueued_ms=5, origin=3, replaces='"0x1"')
    await yard.queue.resend(taken, "c.d1-1", history)
    await yard.queue.resend(taken, "c.d1-1", history)  # a repetition, which the queue takes for a duplicate
    await yard.queue.complete(taken)
    copy = await yard.taken()
    found = {name: value for name, value in (copy.application_properties or {}).items() if name != b"kind"}
    assert found.keys() == {b"jsworker-history"}
    assert json.loads(found[b"jsworker-history"])["replaces"] == '"0x1"'  # type: ignore[arg-type] # text
    assert (copy.message_id, b"".join(copy.body), copy.subject) == ("c.d1-1", b'{"n": 1}', "s")
    assert (copy.correlation_id, copy.content_type) == ("x", "application/json")
    assert copy.time_to_live == timedelta(hours=2)
    assert await yard.dead() == []
    assert [message async for message in Browser(yard.client, "jobs").messages()] == []


async def test_a_copy_of_a_copy_gets_the_time_to_live_that_the_first_was_not_left(yard: Graveyard) -> None:
    text = '{"attempts":0,"copies":2,"reasons":[],"first_enqueued_ms":5}'
    await yard.bury(
        ServiceBusMessage(
            b"1",
            message_id="e",
            time_to_live=timedelta(seconds=9),
            application_properties={"jsworker-history": text},
        )
    )
    (taken,) = await yard.queue.receive(1)
    await yard.queue.resend(taken, "e.d3-1", taken.letter.history)
    await yard.queue.complete(taken)
    assert (await yard.taken()).time_to_live is None


async def test_a_letter_whose_lock_has_passed_is_lost_and_given_out_again(client: ServiceBusClient) -> None:
    yard = Graveyard(client, "short-locks")
    await yard.bury(ServiceBusMessage(b"1"))
    (first,) = await yard.queue.receive(1)
    second: list[Taken] = []
    while not second:
        second = await yard.queue.receive(1)
    for call in (yard.queue.complete, yard.queue.abandon, yard.queue.renew):
        with pytest.raises(LockLost):
            await call(first)
    await yard.queue.complete(second[0])
    assert await yard.dead() == []
    await yard.close()


async def test_the_dead_letters_of_no_queue_are_a_matter_of_configuration(client: ServiceBusClient) -> None:
    yard = Graveyard(client, "nowhere")
    with pytest.raises(ConfigurationFault, match="JSWORKER_QUEUE"):
        await yard.queue.receive(1)
    await yard.close()
