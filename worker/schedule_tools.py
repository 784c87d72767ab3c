"""Wiring of what keeps a queue supplied with the runs of schedules."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

from worker.blobs import open_blobs
from worker.browsing import Browser
from worker.servicebus import Sender, open_servicebus
from worker.supplying import Results, Supply
from worker.tools import credential_for
from worker.unscheduling import Unscheduler

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from worker.settings import ClientSettings


@asynccontextmanager
async def open_supply(settings: ClientSettings, queue: str | None = None) -> AsyncIterator[Supply]:
    """Connect to the queue of a file of schedules, else to that of the settings, and to the blobs."""
    async with AsyncExitStack() as stack:
        credential, queue = await credential_for(settings, stack), queue or settings.queue
        blobs = await stack.enter_async_context(open_blobs(settings, credential))
        servicebus = await stack.enter_async_context(open_servicebus(settings, credential))
        hasty = await stack.enter_async_context(open_servicebus(settings, credential, retry_total=0))
        sender, browser = Sender(servicebus, queue), Browser(servicebus, queue)
        unscheduler = Unscheduler(hasty, queue)
        for link in (sender, browser, unscheduler):
            stack.push_async_callback(link.close)
        yield Supply(sender, browser, unscheduler, Results(blobs, settings.results_container))
