"""A receiving link to Service Bus whose calls and whose end are bounded, and the words for what fails."""

from __future__ import annotations

import asyncio
import random
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import structlog
from azure.core.exceptions import AzureError, ClientAuthenticationError
from azure.servicebus.exceptions import (
    MessageLockLostError,
    MessagingEntityDisabledError,
    MessagingEntityNotFoundError,
    ServiceBusAuthenticationError,
    ServiceBusAuthorizationError,
    ServiceBusError,
    ServiceBusServerBusyError,
)

from worker.clock import now
from worker.faults import CapacityFault, ConfigurationFault, InfrastructureFault, LockLost
from worker.lane import subscription_of

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

    from azure.servicebus import ServiceBusSubQueue
    from azure.servicebus.aio import ServiceBusClient, ServiceBusReceiver, ServiceBusSender

    from worker.watchdog import QueueWatch

log = structlog.get_logger()
T = TypeVar("T")
CLOSE_SECONDS = 5.0
_SESSIONS = ("requires sessions", "Entities that have session support enabled")


class Link:
    """Opened when it is needed, and anew after each failure. For one coroutine at a time.

    No call of the SDK is cancelled from here while there is hope: a cancelled one may keep a message locked
    that has just arrived. What outlives its time is left to a task of its own, and so is the closing.

    Args:
        build: a receiver of the SDK, not yet opened.
        queue: the queue's name.
        watch: what the links to the queue have in common.
        opening: bounds how many links are opened at a time; each costs a good deal.
        open_seconds: how long that may take; the time of a call if not given.
    """

    def __init__(
        self,
        build: Callable[[], ServiceBusReceiver],
        queue: str,
        watch: QueueWatch,
        opening: asyncio.Semaphore | None = None,
        open_seconds: float | None = None,
    ) -> None:
        self._build, self._queue, self._watch = build, queue, watch
        self._opening = opening or asyncio.Semaphore()
        self._open_seconds = open_seconds or watch.times.call
        self._receiver: ServiceBusReceiver | None = None
        self._under_way: asyncio.Task[Any] | None = None
        self._endings: set[asyncio.Task[None]] = set()
        self._generation = 0
        self._recycle_at = 0.0

    async def call(
        self, operation: Callable[[ServiceBusReceiver], Coroutine[Any, Any, T]], seconds: float
    ) -> T:
        """Call the SDK. A fault, or no answer within the time, drops the link.

        Raises:
            LockLost: says the service.
            ServiceFault: in any of its kinds.
        """
        try:
            with mapped(self._queue):
                receiver = await self._opened()
                return await self._within(seconds, operation(receiver))
        except (InfrastructureFault, ConfigurationFault, asyncio.CancelledError) as fault:
            self._watch.failed(fault)
            self.drop()
            raise

    def drop_if_silent(self) -> None:
        """Drop a link over which no message has come for long: it may be deaf."""
        if self._receiver and now() >= self._recycle_at:
            log.info("receiver_recycled")
            self.drop()

    def fed(self) -> None:
        """A message came; the link is not deaf. Those of many slots do not grow old at one moment."""
        self._recycle_at = now() + self._watch.times.silence * random.uniform(0.75, 1)  # noqa: S311 - jitter

    def drop(self) -> None:
        """Leave the link, to be closed by a task of its own."""
        receiver, under_way = self._receiver, self._under_way
        self._receiver = self._under_way = None
        if receiver:
            ending = asyncio.create_task(_ended(receiver, under_way, self._watch.times.close))
            self._endings.add(ending)
            ending.add_done_callback(self._endings.discard)

    async def close(self) -> None:
        """Close the link; what the broker has handed to it goes back to the queue."""
        self.drop()
        if self._endings:
            await asyncio.wait(self._endings)

    async def _opened(self) -> ServiceBusReceiver:
        """The link, open.

        The SDK opens one by itself to receive, within the time to wait for a message; not to renew or settle.
        """
        if self._receiver and self._generation != self._watch.generation:
            self.drop()
        return self._receiver or await self._opened_anew()

    async def _opened_anew(self) -> ServiceBusReceiver:
        async with self._opening:
            receiver = self._receiver = self._build()
            try:
                await self._within(self._open_seconds, receiver.__aenter__())
            except BaseException:
                self.drop()
                raise
        self._generation = self._watch.generation
        self._watch.heard()
        self.fed()
        return receiver

    async def _within(self, seconds: float, call: Coroutine[Any, Any, T]) -> T:
        self._under_way = task = asyncio.create_task(call)
        await asyncio.wait({task}, timeout=seconds)
        if not task.done():
            raise TimeoutError(f"no answer within {seconds:g} s")
        self._under_way = None
        return task.result()


def receiver_of(
    client: ServiceBusClient, queue: str, sub_queue: ServiceBusSubQueue | None = None
) -> ServiceBusReceiver:
    """A receiver of a queue, or of a subscription named ``topic/Subscriptions/name``; not yet opened."""
    if names := subscription_of(queue):
        return client.get_subscription_receiver(*names, sub_queue=sub_queue, prefetch_count=0)
    return client.get_queue_receiver(queue, sub_queue=sub_queue, prefetch_count=0)


async def closed(link: ServiceBusReceiver | ServiceBusSender, seconds: float = CLOSE_SECONDS) -> None:
    """Close a link that may be broken in any way, in bounded time."""
    closing = asyncio.create_task(_close(link))
    await asyncio.wait({closing}, timeout=seconds)
    closing.cancel()


async def _close(link: ServiceBusReceiver | ServiceBusSender) -> None:
    try:
        await link.close()
    except (ServiceBusError, OSError, ValueError, AttributeError, TimeoutError) as error:
        log.debug("link_close_failed", reason=str(error))


async def _ended(receiver: ServiceBusReceiver, under_way: asyncio.Task[Any] | None, seconds: float) -> None:
    """End a link; a message that a call still receives which nobody waits for any more goes back."""
    if under_way:
        await asyncio.wait({under_way}, timeout=seconds)
        under_way.cancel()
        late = asyncio.create_task(_handed_back(receiver, under_way))
        await asyncio.wait({late}, timeout=seconds)
        late.cancel()
    await closed(receiver, seconds)


async def _handed_back(receiver: ServiceBusReceiver, under_way: asyncio.Task[Any]) -> None:
    try:
        received = await under_way
        for message in received if isinstance(received, list) else ():
            await receiver.abandon_message(message)
    except (ServiceBusError, OSError, ValueError, AttributeError, TimeoutError) as error:
        log.debug("late_call_failed", reason=str(error))


def is_about_sessions(error: Exception) -> bool:
    """Whether the service refuses because the queue requires sessions, for which it has no code."""
    return any(words in str(error) for words in _SESSIONS)


@contextmanager
def mapped(queue: str) -> Iterator[None]:
    """Turn the SDK's errors into the faults of ``worker.faults``."""
    try:
        yield
    except MessageLockLostError as error:
        raise LockLost("the broker says that the lock is lost") from error
    except (MessagingEntityNotFoundError, MessagingEntityDisabledError) as error:
        raise ConfigurationFault(
            f"the queue {queue!r} does not exist or is disabled",
            "Create it, or correct JSWORKER_QUEUE, or whichever setting names it",
        ) from error
    except (ServiceBusAuthenticationError, ServiceBusAuthorizationError, ClientAuthenticationError) as error:
        raise ConfigurationFault(
            f"Service Bus refuses access to the queue {queue!r}",
            "Give this identity the roles Azure Service Bus Data Receiver and Sender, or correct the key",
        ) from error
    except ServiceBusServerBusyError as error:
        raise CapacityFault(f"Service Bus throttles: {error}") from error
    except (AzureError, OSError, ValueError, AttributeError, TimeoutError, OverflowError) as error:
        # ValueError and AttributeError: the SDK's words for a link that was shut down under it, and with
        # OverflowError for times that are none
        if is_about_sessions(error):
            raise ConfigurationFault(
                f"the queue {queue!r} requires sessions", "Make it anew without sessions: jobs need no order"
            ) from error
        raise InfrastructureFault(f"Service Bus is out of reach: {type(error).__name__} {error}") from error
