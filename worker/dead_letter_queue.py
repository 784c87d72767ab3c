"""Adapter for taking dead letters under lock, to run their jobs again or to remove them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from azure.servicebus import ServiceBusSubQueue

from worker.browsing import seen
from worker.link import Link, receiver_of
from worker.messages import again, delivery_of, message_of, unjudged
from worker.replaying import Taken
from worker.servicebus import RECEIVE_SECONDS
from worker.watchdog import QueueWatch

if TYPE_CHECKING:
    from azure.servicebus.aio import ServiceBusClient

    from worker.servicebus import Sender
    from worker.settlement import History


class DeadLetterQueue:
    """The dead letters of one queue; used by one coroutine at a time, over a link built anew after a failure.

    Args:
        client: the namespace.
        queue: the name of the queue whose dead letters these are.
        sender: for copies of them, to that queue or the one that stands in for a subscription.
    """

    def __init__(self, client: ServiceBusClient, queue: str, sender: Sender) -> None:
        self._sender, self._watch, self._queue = sender, QueueWatch(queue=queue), queue
        self._link = Link(
            lambda: receiver_of(client, queue, ServiceBusSubQueue.DEAD_LETTER), queue, self._watch
        )

    async def receive(self, count: int) -> list[Taken]:
        """The next letters that nobody has locked, a few at a time and by their order; none after a wait.

        Never to be cancelled: what has just arrived would remain locked until its lock expires.
        """
        messages = await self._link.call(
            lambda link: link.receive_messages(max_message_count=count, max_wait_time=RECEIVE_SECONDS),
            self._watch.times.receive,
        )
        return [Taken(seen(message, self._queue), delivery_of(message, self._watch)) for message in messages]

    async def renew(self, taken: Taken) -> None:
        """Renew the lock; raises ``LockLost``."""
        message, seconds = message_of(taken.delivery), self._watch.times.call
        await self._link.call(lambda link: link.renew_message_lock(message, timeout=seconds), seconds)
        unjudged(message)

    async def resend(self, taken: Taken, message_id: str, history: History) -> None:
        """Send a copy to the queue, visible at once; after a fault it may have been sent all the same."""
        await self._sender.send_messages([again(message_of(taken.delivery), message_id, history)])

    async def complete(self, taken: Taken) -> None:
        """Remove the letter for good; raises ``LockLost``, after which it may be gone or not."""
        message = message_of(taken.delivery)
        await self._link.call(lambda link: link.complete_message(message), self._watch.times.call)

    async def abandon(self, taken: Taken) -> None:
        """Put the letter back; raises ``LockLost``, after which it is back already."""
        message = message_of(taken.delivery)
        await self._link.call(lambda link: link.abandon_message(message), self._watch.times.call)

    async def close(self) -> None:
        """Close the link."""
        await self._link.close()
