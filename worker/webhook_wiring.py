"""Wiring of the slots that post events to webhooks."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING

from worker.browsing import Browser
from worker.servicebus import Receiver, Sender
from worker.side_queue import SideQueue
from worker.watchdog import QueueWatch
from worker.webhook_posting import HttpPoster
from worker.webhooks import Webhooks

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from azure.servicebus.aio import ServiceBusClient

    from worker.setting_groups import WebhookSettings


@asynccontextmanager
async def webhook_queues(
    settings: WebhookSettings, servicebus: ServiceBusClient
) -> AsyncIterator[list[SideQueue]]:
    """The queue of webhooks; none while no host is allowed. Its links are closed at the end."""
    if not settings.webhook_hosts:
        yield []
        return
    queue, watch = settings.webhooks_queue, QueueWatch()  # its own: health is judged by the queue of jobs
    sender, browser = Sender(servicebus, queue), Browser(servicebus, queue)
    closers: list[Callable[[], Awaitable[None]]] = [sender.close, browser.close]

    def new_receiver() -> Receiver:
        receiver = Receiver(servicebus, queue, sender, watch=watch)
        closers.append(receiver.close)
        return receiver

    handler = Webhooks(HttpPoster(settings), settings)
    try:
        yield [SideQueue("webhooks", handler, new_receiver, lambda: _is_clear(browser))]
    finally:
        await asyncio.gather(*(close() for close in closers))


async def _is_clear(browser: Browser) -> bool:
    """Whether all that is left are copies for later; a message that somebody has locked is not one."""
    async with aclosing(browser.messages()) as messages:
        async for message in messages:
            if message.state == "active":
                return False
    return True
