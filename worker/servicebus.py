"""Adapter over the asyncio client of Azure Service Bus; one receiver a slot, used by one coroutine at a time.

The SDK's receivers are not coroutine-safe: receive, renew and settle of one receiver poll the same
socket, and each waits for the others' reads to time out. So every slot has its own, strictly sequential.
"""

from __future__ import annotations

import asyncio
import ssl
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from azure.servicebus import ServiceBusSubQueue
from azure.servicebus.aio import ServiceBusClient
from azure.servicebus.exceptions import MessageSizeExceededError

from worker.faults import CapacityFault, InfrastructureFault
from worker.link import Link, closed, mapped, receiver_of
from worker.messages import copy_of, delivery_of, encoded, message_of, unjudged
from worker.patience import with_patience
from worker.settings import unusable
from worker.settlement import Complete, DeadLetter, HandBack, LetGo, Retry, Settlement
from worker.watchdog import QueueWatch

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from azure.core.credentials_async import AsyncTokenCredential
    from azure.servicebus import ServiceBusMessage, ServiceBusReceivedMessage
    from azure.servicebus.aio import ServiceBusReceiver, ServiceBusSender

    from worker.delivery import Delivery
    from worker.messages import Outgoing
    from worker.settings import ClientSettings

CALL_SECONDS = 30
RECEIVE_SECONDS = 1.0


class Sender:
    """Sends to one queue or topic. Calls are serialised: the SDK's link is corrupted by concurrent sends."""

    def __init__(self, client: ServiceBusClient, queue: str, *, is_topic: bool = False) -> None:
        self._client, self._queue, self._is_topic = client, queue, is_topic
        self._lock = asyncio.Lock()
        self._sender: ServiceBusSender | None = None

    async def send(self, messages: Sequence[Outgoing]) -> None:
        """Send messages, in as few batches as they fit in; after an error any of them may have been sent."""
        await self.send_messages([encoded(message) for message in messages])

    async def send_messages(self, messages: Sequence[ServiceBusMessage]) -> None:
        """Send messages of the SDK's own kind, as ``send`` does."""
        async with self._lock:
            try:
                with mapped(self._queue):
                    async with asyncio.timeout(CALL_SECONDS):
                        await self._send(messages)
            except BaseException:
                await self._drop()  # a link that failed or was left in mid-call cannot be used again
                raise

    async def close(self) -> None:
        """Close the link."""
        async with self._lock:
            await self._drop()

    async def _send(self, messages: Sequence[ServiceBusMessage]) -> None:
        if self._sender is None:
            opened = self._client.get_topic_sender if self._is_topic else self._client.get_queue_sender
            self._sender = opened(self._queue)
        batch = await self._sender.create_message_batch()
        for message in messages:
            try:
                batch.add_message(message)
            except MessageSizeExceededError:
                if len(batch):
                    await self._sender.send_messages(batch)
                batch = await self._sender.create_message_batch()
                batch.add_message(message)
        if len(batch):
            await self._sender.send_messages(batch)

    async def _drop(self) -> None:
        sender, self._sender = self._sender, None
        if sender:
            await closed(sender)


class Receiver:
    """A slot's own receiver; its link is built anew after each failure.

    Args:
        client: the namespace.
        queue: the name of the queue, or of a subscription as ``topic/Subscriptions/name``.
        sender: for the copies of retries; they go to the queue itself, or to the one that stands in for it.
        opening: bounds how many receivers open their links at a time; each costs a good deal.
        watch: what the receivers of the queue have in common.
    """

    def __init__(
        self,
        client: ServiceBusClient,
        queue: str,
        sender: Sender,
        opening: asyncio.Semaphore | None = None,
        watch: QueueWatch | None = None,
    ) -> None:
        self._sender, self._watch = sender, watch or QueueWatch()
        self._link = Link(lambda: receiver_of(client, queue), queue, self._watch, opening)

    async def receive(self) -> Delivery | None:
        """Wait a short time for a message; None when there is none. Not to be cancelled.

        What arrives for a receive that was given up is handed back, which uses up one of its deliveries.
        """
        self._link.drop_if_silent()
        messages = await self._link.call(_received, self._watch.times.receive)
        if not messages:
            return None
        self._link.fed()
        self._watch.heard()
        with mapped(self._watch.queue):
            return delivery_of(messages[0], self._watch)

    async def renew(self, delivery: Delivery) -> None:
        """Renew the lock.

        Raises:
            LockLost: another may hold the message now.
        """
        message, seconds = message_of(delivery), delivery.lock_seconds / 3
        await self._link.call(
            lambda receiver: receiver.renew_message_lock(message, timeout=seconds), self._watch.times.call
        )
        unjudged(message)
        self._watch.heard()

    async def settle(self, delivery: Delivery, settlement: Settlement) -> None:
        """Carry out a settlement; the copy of a retry is sent before the original is completed.

        A message can be settled over another link than the one it came by: the SDK then goes by lock token.

        Raises:
            LockLost: the settlement may or may not have been done; the next delivery will tell.
        """
        message = message_of(delivery)
        if isinstance(settlement, Retry):
            await self._sender.send_messages([copy_of(message, delivery, settlement)])
        await with_patience(
            lambda: self._link.call(
                lambda receiver: _carried_out(receiver, message, settlement), self._watch.times.call
            ),
            delivery.lock_seconds / 2,  # at least as much is left of the lock
            CapacityFault,
            InfrastructureFault,
        )
        self._watch.heard()

    async def is_queue_empty(self) -> bool:
        """Whether the queue holds no message at all, be it waiting, scheduled or locked by another."""
        self._link.drop_if_silent()
        return not await self._link.call(
            lambda receiver: receiver.peek_messages(1, sequence_number=1, timeout=CALL_SECONDS), CALL_SECONDS
        )

    def rest(self) -> None:
        """Leave the link when no message is wanted: the broker would still hand it the next one."""
        self._link.drop()

    async def close(self) -> None:
        """Close the link; what the broker has handed to it goes back to the queue."""
        await self._link.close()


class Probe:
    """Asks the queue's service for a sign of life, over a link of its own and in bounded time.

    It looks at the dead letters, since a link to the queue itself would be handed a waiting message.
    """

    def __init__(self, client: ServiceBusClient, queue: str, watch: QueueWatch) -> None:
        self._seconds = watch.times.probe
        self._link = Link(
            lambda: receiver_of(client, queue, ServiceBusSubQueue.DEAD_LETTER),
            queue,
            watch,
            open_seconds=self._seconds,
        )

    async def ask(self) -> None:
        """Return when the service has answered.

        Raises:
            ServiceFault: it has not.
        """
        try:
            await self._link.call(
                lambda receiver: receiver.peek_messages(1, sequence_number=1, timeout=self._seconds),
                self._seconds,
            )
        finally:
            self._link.drop()

    async def close(self) -> None:
        """Wait for the end of the links that were used."""
        await self._link.close()


async def _received(receiver: ServiceBusReceiver) -> list[ServiceBusReceivedMessage]:
    return await receiver.receive_messages(max_message_count=1, max_wait_time=RECEIVE_SECONDS)


async def _carried_out(
    receiver: ServiceBusReceiver, message: ServiceBusReceivedMessage, settlement: Settlement
) -> None:
    match settlement:
        case Complete() | Retry():
            await receiver.complete_message(message)
        case DeadLetter(reason, description):
            await receiver.dead_letter_message(
                message, reason=reason[:1024], error_description=description[:2048]
            )
        case HandBack():
            await receiver.abandon_message(message)
        case LetGo():
            pass


@asynccontextmanager
async def open_servicebus(
    settings: ClientSettings, credential: AsyncTokenCredential | None, *, retry_total: int = 3
) -> AsyncIterator[ServiceBusClient]:
    """Connect to the namespace of the settings: by connection string, else with the credential.

    The SDK repeats a call that fails up to ``retry_total`` times.

    Raises:
        SettingsError: the connection string is none.
    """
    options: dict[str, Any] = {"retry_total": retry_total}
    secret = settings.servicebus_connection_string
    # else each link loads the certificates for itself, 0.7 MB and 25 ms
    options["ssl_context"] = ssl.create_default_context()
    if secret:
        try:
            client = ServiceBusClient.from_connection_string(secret.get_secret_value(), **options)
        except ValueError as error:
            raise unusable("SERVICEBUS_CONNECTION_STRING", error) from error
    else:
        namespace = settings.servicebus_namespace or ""
        client = ServiceBusClient(namespace, credential, **options)  # type: ignore[arg-type] # one of them is set
    async with client:
        yield client
