"""Adapter for looking at a queue, or at its dead letters, without locking anything."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from itertools import count
from typing import TYPE_CHECKING, Final

from azure.servicebus import ServiceBusSubQueue

from worker.link import closed, mapped, receiver_of
from worker.message_properties import envelope_of, properties_of
from worker.messages import body_of, history_of
from worker.seen import Seen
from worker.servicebus import CALL_SECONDS

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence
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

    async def messages(
        self, *, dead: bool = False, start: int = 1, most: int | None = None
    ) -> AsyncGenerator[Seen]:
        """All messages, or all dead letters, by sequence number from ``start`` on, be they locked or not.

        At most ``most``, rounded up to whole pages, if that is given.
        They are read in pages, so what changes meanwhile may be seen or not. A look that is broken off must
        be closed (``contextlib.aclosing``), or its link stays open until it is collected.
        """
        link = await self._link(dead=dead)
        finished = False
        try:
            pages = count(0, PAGE)
            while (most is None or next(pages) < most) and (page := await self._page(link, start)):
                for message in page:
                    yield seen(message, self._queue)
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
        link = receiver_of(self._client, self._queue, sub_queue)
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


class Browsers:
    """Looks at several queues, one after the other, as a ``Browser`` does at each of them."""

    def __init__(self, browsers: Sequence[Browser]) -> None:
        self._browsers = browsers

    async def messages(self, *, dead: bool = False, start: int = 1) -> AsyncGenerator[Seen]:
        """All messages, or all dead letters, of all queues; each has sequence numbers of its own."""
        for browser in self._browsers:
            async with aclosing(browser.messages(dead=dead, start=start)) as messages:
                async for message in messages:
                    yield message

    async def close(self) -> None:
        """Close the links that were kept."""
        await asyncio.gather(*(browser.close() for browser in self._browsers))


def seen(message: ServiceBusReceivedMessage, queue: str) -> Seen:
    """The SDK's message as the core has it; properties that its sender made up are never an error."""
    properties = message.application_properties or {}
    return Seen(
        queue=queue,
        sequence_number=message.sequence_number or 0,
        message_id=str(message.message_id),
        delivery_count=message.delivery_count or 0,
        state=_STATES.get(getattr(message.state, "name", ""), "active"),  # a number, of one that is just gone
        enqueued_at=message.enqueued_time_utc,
        scheduled_at=_scheduled_at(message),
        expires_at=message.expires_at_utc,
        body=body_of(message),
        history=history_of(message),
        properties=properties_of(message),
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
