"""Sends the outbox's messages: to queues and topics, and to webhooks by way of their queue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from worker.messages import Outgoing
from worker.webhook_message import webhook_message

if TYPE_CHECKING:
    from worker.parcels import Parcel
    from worker.servicebus import Sender


class Senders(Protocol):
    """Gives the one that sends to a queue or topic; see ``worker.queue_links.Links``."""

    def sender(self, name: str, *, is_topic: bool = False) -> Sender: ...  # noqa: D102


class Posting:
    """Sends to the queues and topics of one namespace."""

    def __init__(self, senders: Senders, webhooks_queue: str) -> None:
        self._senders, self._webhooks_queue = senders, webhooks_queue

    async def post(self, parcel: Parcel) -> None:
        """Send one.

        Raises:
            ServiceFault: it may or may not have been sent.
        """
        if parcel.destination.kind == "webhook":
            message = webhook_message(parcel.destination.name, parcel.message_id, parcel.body.encode())
            await self._senders.sender(self._webhooks_queue).send([message])
            return
        message = Outgoing(
            parcel.body.encode(),
            parcel.message_id,
            parcel.properties,
            content_type=parcel.content_type,
            subject=parcel.subject,
        )
        to = parcel.destination
        await self._senders.sender(to.name, is_topic=to.kind == "topic").send([message])
