"""Sends the outbox's messages: to queues and topics, and to webhooks by way of their queue."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from worker.messages import Outgoing
from worker.servicebus import Sender
from worker.webhook_message import webhook_message

if TYPE_CHECKING:
    from azure.servicebus.aio import ServiceBusClient

    from worker.parcels import Parcel


class Posting:
    """A link for each queue and topic that something is sent to, opened when it is needed."""

    def __init__(self, servicebus: ServiceBusClient, webhooks_queue: str) -> None:
        self._servicebus, self._webhooks_queue = servicebus, webhooks_queue
        self._senders: dict[tuple[str, str], Sender] = {}

    async def post(self, parcel: Parcel) -> None:
        """Send one.

        Raises:
            ServiceFault: it may or may not have been sent.
        """
        if parcel.destination.kind == "webhook":
            message = webhook_message(parcel.destination.name, parcel.message_id, parcel.body.encode())
            await self._sender("queue", self._webhooks_queue).send([message])
            return
        message = Outgoing(
            parcel.body.encode(),
            parcel.message_id,
            parcel.properties,
            content_type=parcel.content_type,
            subject=parcel.subject,
        )
        await self._sender(*parcel.destination.key).send([message])

    async def close(self) -> None:
        """Close the links."""
        await asyncio.gather(*(sender.close() for sender in self._senders.values()))

    def _sender(self, kind: str, name: str) -> Sender:
        sender = self._senders.get((kind, name))
        if sender is None:
            sender = self._senders[kind, name] = Sender(self._servicebus, name, is_topic=kind == "topic")
        return sender
