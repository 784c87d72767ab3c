"""Connections to the services without a worker, for commands and for the library."""

from __future__ import annotations

import socket
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from worker.blobs import open_blobs
from worker.browsing import Browser, Browsers
from worker.children import endings_of
from worker.dead_letter_queue import DeadLetterQueue
from worker.dead_letters import Recorder
from worker.lane import subscription_of
from worker.servicebus import Sender, open_servicebus
from worker.settings import WorkerSettings
from worker.signing_in import BoundedCredential

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from azure.core.credentials_async import AsyncTokenCredential

    from worker.blobs import Blobs
    from worker.committing import Committer
    from worker.settings import ClientSettings

TOOLS_PATIENCE_SECONDS = 20


@dataclass(frozen=True)
class DeadLetterTools:
    """What a command needs that looks at dead letters, runs jobs again or removes their letters.

    Attributes:
        browser: looks at all queues.
        queues: the dead letters of each queue, by its name.
    """

    blobs: Blobs
    sender: Sender
    browser: Browsers
    queues: dict[str, DeadLetterQueue]
    committer: Committer
    recorder: Recorder


@dataclass(frozen=True)
class BatchTools:
    """What a command needs that submits jobs or looks at results."""

    blobs: Blobs
    sender: Sender


@asynccontextmanager
async def open_client(
    settings: ClientSettings, credential: AsyncTokenCredential | None = None
) -> AsyncIterator[BatchTools]:
    """Connect to the queue and the blobs; a credential that is given is not closed."""
    async with AsyncExitStack() as stack:
        credential = credential or await credential_for(settings, stack)
        blobs = await stack.enter_async_context(open_blobs(settings, credential))
        servicebus = await stack.enter_async_context(open_servicebus(settings, credential))
        sender = Sender(servicebus, settings.queue)
        stack.push_async_callback(sender.close)
        yield BatchTools(blobs, sender)


@asynccontextmanager
async def open_browser(settings: ClientSettings) -> AsyncIterator[Browsers]:
    """Connect to the queues, only to look at them."""
    async with AsyncExitStack() as stack:
        credential = await credential_for(settings, stack)
        servicebus = await stack.enter_async_context(open_servicebus(settings, credential))
        browsers = Browsers([Browser(servicebus, name) for name in settings.queue_names])
        stack.push_async_callback(browsers.close)
        yield browsers


@asynccontextmanager
async def open_dead_letters(settings: ClientSettings) -> AsyncIterator[DeadLetterTools]:
    """Connect to the queues, their dead letters and the blobs."""
    async with AsyncExitStack() as stack:
        credential = await credential_for(settings, stack)
        blobs = await stack.enter_async_context(open_blobs(settings, credential))
        servicebus = await stack.enter_async_context(open_servicebus(settings, credential))
        senders = {
            name: Sender(servicebus, name) for name in settings.queue_names if not subscription_of(name)
        }
        first, queues = senders[settings.lanes[0].name], dict[str, DeadLetterQueue]()
        for name in settings.queue_names:
            queues[name] = DeadLetterQueue(servicebus, name, senders.get(name, first))
        browsers = Browsers([Browser(servicebus, name) for name in settings.queue_names])
        for close in [link.close for link in senders.values()] + [queue.close for queue in queues.values()]:
            stack.push_async_callback(close)
        stack.push_async_callback(browsers.close)
        sender = senders[settings.queue]
        endings = endings_of(blobs, sender, settings, TOOLS_PATIENCE_SECONDS)
        recorder = Recorder(endings, socket.gethostname())
        yield DeadLetterTools(blobs, sender, browsers, queues, endings.committer, recorder)


async def credential_for(settings: ClientSettings, stack: AsyncExitStack) -> AsyncTokenCredential | None:
    """One credential for all services, or None when each of them has a key."""
    keys = [settings.servicebus_connection_string, settings.storage_connection_string]
    if isinstance(settings, WorkerSettings):
        keys.append(settings.pool_token)
    if all(keys):
        return None
    from azure.identity.aio import DefaultAzureCredential  # noqa: PLC0415 - slow to import, often not needed

    return await stack.enter_async_context(BoundedCredential(DefaultAzureCredential()))
