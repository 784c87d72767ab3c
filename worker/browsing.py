"""Adapter for looking at a queue, or at its dead letters, without locking anything."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from azure.servicebus import ServiceBusSubQueue

from worker.link import closed, mapped
from worker.messages import body_of, envelope_of, history_of
from worker.seen import Seen
from worker.servicebus import CALL_SECONDS

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from datetime import datetime

    from azure.servicebus import ServiceBusReceivedMessage
    from azure.servicebus.aio import ServiceBusClient, ServiceBusReceiver

    from worker.seen import State

PAGE = 32
_STATES: Final[dict[str, State]] = {"DEFERRED": "deferred", "SCHEDULED": "scheduled"}


class Browser:
    """Looks at one queue. Each look has a link to itself; one link is kept for the next look.

    Every look raises ``CapacityFault``, ``InfrastructureFault`` or ``ConfigurationFault`` when the service
    does not do its part.
    """

    def __init__(self, client: ServiceBusClient, queue: str) -> None:
        self._client, self._queue = client, queue
        self._idle: dict[bool, ServiceBusReceiver] = {}

    async def messages(self, *, dead: bool = False, start: int = 1) -> AsyncGenerator[Seen]:
        """All messages, or all dead letters, by sequence number from ``start`` on, be they locked or not.

        They are read in pages, so what changes meanwhile may be seen or not. A look that is broken off must
        be closed (``contextlib.aclosing``), or its link stays open until it is collected.
        """
        link = await self._link(dead=dead)
        finished = False
        try:
            while page := await self._page(link, start):
                for message in page:
                    yield seen(message)
                start = (page[-1].sequence_number or start) + 1
            finished = True
        finally:
            kept = self._idle.setdefault(dead, link) if finished else None
            if kept is not link:
                await closed(link)

    async def close(self) -> None:
        """Close the links that were kept."""
        links, self._idle = list(self._idle.values()), {}
        await asyncio.gather(*(closed(link) for link in links))

    async def _link(self, *, dead: bool) -> ServiceBusReceiver:
        if link := self._idle.pop(dead, None):
            return link
        sub_queue = ServiceBusSubQueue.DEAD_LETTER if dead else None
        link = self._client.get_queue_receiver(self._queue, sub_queue=sub_queue, prefetch_count=0)
        try:
            with mapped(self._queue):
                async with asyncio.timeout(CALL_SECONDS):
                    await link.__aenter__()
        except BaseException:
            await closed(link)
            raise
        return link

    async def _page(self, link: ServiceBusReceiver, start: int) -> list[ServiceBusReceivedMessage]:
        with mapped(self._queue):
            async with asyncio.timeout(CALL_SECONDS):
                return await link.peek_messages(PAGE, sequence_number=start, timeout=CALL_SECONDS)


def seen(message: ServiceBusReceivedMessage) -> Seen:
    """The SDK's message as the core has it; properties that its sender made up are never an error."""
    properties = message.application_properties or {}
    return Seen(
        sequence_number=message.sequence_number or 0,
        message_id=str(message.message_id),
        delivery_count=message.delivery_count or 0,
        state=_STATES.get(message.state.name, "active"),
        enqueued_at=message.enqueued_time_utc,
        scheduled_at=_scheduled_at(message),
        expires_at=message.expires_at_utc,
        body=body_of(message),
        history=history_of(message),
        envelope=envelope_of(message),
        reason=_text(properties.get(b"DeadLetterReason")),
        description=_text(properties.get(b"DeadLetterErrorDescription")),
    )


def _scheduled_at(message: ServiceBusReceivedMessage) -> datetime | None:
    """The service leaves it as the sender wrote it."""
    try:
        return message.scheduled_enqueue_time_utc
    except (TypeError, ValueError, OverflowError, OSError):
        return None


def _text(value: object) -> str | None:
    """The SDK's own properties for these raise on bytes that are no UTF-8."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else None
