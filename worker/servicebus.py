"""Adapter over the asyncio client of Azure Service Bus; one receiver a slot, used by one coroutine at a time.

The SDK's receivers are not coroutine-safe: receive, renew and settle of one receiver poll the same
socket, and each waits for the others' reads to time out. So every slot has its own, strictly sequential.
"""

from __future__ import annotations

import asyncio
import ssl
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

import structlog
from azure.core.exceptions import ClientAuthenticationError
from azure.servicebus.aio import ServiceBusClient
from azure.servicebus.exceptions import (
    MessageLockLostError,
    MessageSizeExceededError,
    MessagingEntityDisabledError,
    MessagingEntityNotFoundError,
    ServiceBusAuthenticationError,
    ServiceBusAuthorizationError,
    ServiceBusError,
    ServiceBusServerBusyError,
)

from worker.faults import CapacityFault, ConfigurationFault, InfrastructureFault, LockLost
from worker.messages import copy_of, delivery_of, encoded, message_of
from worker.settlement import Complete, DeadLetter, HandBack, LetGo, Retry, Settlement

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

    from azure.core.credentials_async import AsyncTokenCredential
    from azure.servicebus import ServiceBusMessage
    from azure.servicebus.aio import ServiceBusReceiver, ServiceBusSender

    from worker.delivery import Delivery
    from worker.messages import Outgoing
    from worker.settings import ClientSettings

log = structlog.get_logger()
CALL_SECONDS = 30
RECEIVE_SECONDS = 1.0


class Sender:
    """Sends to one queue. Calls are serialised: the SDK's link is corrupted by concurrent sends."""

    def __init__(self, client: ServiceBusClient, queue: str) -> None:
        self._client, self._queue = client, queue
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
            self._sender = self._client.get_queue_sender(self._queue)
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
    """A slot's own receiver, built anew after each failure.

    Args:
        client: the namespace.
        queue: the queue's name.
        sender: for the copies of retries.
        opening: bounds how many receivers open their links at a time; each costs a good deal.
    """

    def __init__(
        self, client: ServiceBusClient, queue: str, sender: Sender, opening: asyncio.Semaphore | None = None
    ) -> None:
        self._client, self._queue, self._sender = client, queue, sender
        self._opening = opening or asyncio.Semaphore()
        self._receiver: ServiceBusReceiver | None = None

    async def receive(self) -> Delivery | None:
        """Wait a short time for a message; None when there is none. Never to be cancelled.

        Cancelling would leave a message that has just arrived locked until its lock expires.
        """
        async with self._link() as receiver:
            messages = await receiver.receive_messages(max_message_count=1, max_wait_time=RECEIVE_SECONDS)
        return delivery_of(messages[0]) if messages else None

    async def renew(self, delivery: Delivery) -> None:
        """Renew the lock.

        Raises:
            LockLost: another may hold the message now.
        """
        async with self._link() as receiver:
            await receiver.renew_message_lock(message_of(delivery), timeout=delivery.lock_seconds / 3)

    async def settle(self, delivery: Delivery, settlement: Settlement) -> None:
        """Carry out a settlement; the copy of a retry is sent before the original is completed.

        A message can be settled over another link than the one it came by: the SDK then goes by lock token.

        Raises:
            LockLost: the settlement may or may not have been done; the next delivery will tell.
        """
        message = message_of(delivery)
        if isinstance(settlement, Retry):
            await self._sender.send_messages([copy_of(message, delivery, settlement)])
        async with self._link() as receiver:
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

    async def is_queue_empty(self) -> bool:
        """Whether the queue holds no message at all, be it waiting, scheduled or locked by another."""
        async with self._link() as receiver:
            return not await receiver.peek_messages(1, sequence_number=1, timeout=CALL_SECONDS)

    async def close(self) -> None:
        """Close the link; what the broker has handed to it goes back to the queue."""
        receiver, self._receiver = self._receiver, None
        if receiver:
            await closed(receiver)

    @asynccontextmanager
    async def _link(self) -> AsyncIterator[ServiceBusReceiver]:
        try:
            with mapped(self._queue):
                receiver = self._receiver or await self._opened()
                async with asyncio.timeout(CALL_SECONDS):
                    yield receiver
        except (InfrastructureFault, ConfigurationFault):
            await self.close()
            raise

    async def _opened(self) -> ServiceBusReceiver:
        """A new link, open.

        The SDK opens one by itself to receive, within the time to wait for a message; not to renew or settle.
        """
        async with self._opening, asyncio.timeout(CALL_SECONDS):
            self._receiver = self._client.get_queue_receiver(self._queue, prefetch_count=0)
            await self._receiver.__aenter__()
            return self._receiver


@asynccontextmanager
async def open_servicebus(
    settings: ClientSettings, credential: AsyncTokenCredential | None
) -> AsyncIterator[ServiceBusClient]:
    """Connect to the namespace of the settings: by connection string, else with the credential."""
    secret = settings.servicebus_connection_string
    context = (
        ssl.create_default_context()
    )  # else each link loads the certificates for itself, 0.7 MB and 25 ms
    if secret:
        client = ServiceBusClient.from_connection_string(secret.get_secret_value(), ssl_context=context)
    else:
        namespace = settings.servicebus_namespace or ""
        client = ServiceBusClient(namespace, credential, ssl_context=context)  # type: ignore[arg-type] # one of them is set
    async with client:
        yield client


async def closed(link: ServiceBusReceiver | ServiceBusSender) -> None:
    """Close a link that may be broken in any way."""
    try:
        async with asyncio.timeout(CALL_SECONDS):
            await link.close()
    except (ServiceBusError, OSError, ValueError, AttributeError, TimeoutError) as error:
        log.debug("link_close_failed", reason=str(error))


@contextmanager
def mapped(queue: str) -> Iterator[None]:
    """Turn the SDK's errors into the faults of ``worker.faults``."""
    try:
        yield
    except MessageLockLostError as error:
        raise LockLost("the broker says that the lock is lost") from error
    except (MessagingEntityNotFoundError, MessagingEntityDisabledError) as error:
        raise ConfigurationFault(
            f"the queue {queue!r} does not exist or is disabled", "Create it, or correct JSWORKER_QUEUE"
        ) from error
    except (ServiceBusAuthenticationError, ServiceBusAuthorizationError, ClientAuthenticationError) as error:
        raise ConfigurationFault(
            f"Service Bus refuses access to the queue {queue!r}",
            "Give this identity the roles Azure Service Bus Data Receiver and Sender, or correct the key",
        ) from error
    except ServiceBusServerBusyError as error:
        raise CapacityFault(f"Service Bus throttles: {error}") from error
    except (ServiceBusError, OSError, ValueError, AttributeError, TimeoutError) as error:
        # ValueError and AttributeError: the SDK's words for a link that was shut down under it
        raise InfrastructureFault(f"Service Bus is out of reach: {type(error).__name__} {error}") from error
