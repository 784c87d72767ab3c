"""Wiring: the settings' services, opened and put together."""

from __future__ import annotations

import asyncio
import secrets
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from worker.blobs import open_blobs
from worker.browsing import Browser
from worker.committing import Committer
from worker.faults import AlreadyCommitted, BlobMissing
from worker.inputs import InputFetcher
from worker.job_run import Services
from worker.lifecycle import Worker
from worker.permits import Permits
from worker.processor import Processor
from worker.progress import Progress
from worker.servicebus import Receiver, Sender, open_servicebus
from worker.session_leases import Identifiers, SessionLeases
from worker.sessions import open_sessions
from worker.settings import WorkerSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from azure.core.credentials_async import AsyncTokenCredential

    from worker.blobs import Blobs
    from worker.settings import ClientSettings

SECRET_BYTES = 64
LINKS_OPENING = 16


@dataclass(frozen=True)
class Client:
    """What a command needs that submits jobs or looks at results."""

    blobs: Blobs
    sender: Sender


@asynccontextmanager
async def open_client(settings: ClientSettings) -> AsyncIterator[Client]:
    """Connect to the queue and the blobs."""
    async with AsyncExitStack() as stack:
        credential = await _credential(settings, stack)
        blobs = await stack.enter_async_context(open_blobs(settings, credential))
        servicebus = await stack.enter_async_context(open_servicebus(settings, credential))
        sender = Sender(servicebus, settings.queue)
        stack.push_async_callback(sender.close)
        yield Client(blobs, sender)


@asynccontextmanager
async def open_browser(settings: ClientSettings) -> AsyncIterator[Browser]:
    """Connect to the queue, only to look at it."""
    async with AsyncExitStack() as stack:
        credential = await _credential(settings, stack)
        servicebus = await stack.enter_async_context(open_servicebus(settings, credential))
        browser = Browser(servicebus, settings.queue)
        stack.push_async_callback(browser.close)
        yield browser


async def run_worker(settings: WorkerSettings, *, stop: asyncio.Event, drain: bool = False) -> int:
    """Run the worker until ``stop`` is set or, when draining, the queue is empty; returns the exit status."""
    async with AsyncExitStack() as stack:
        credential = await _credential(settings, stack)
        blobs = await stack.enter_async_context(open_blobs(settings, credential))
        servicebus = await stack.enter_async_context(open_servicebus(settings, credential))
        pool = await stack.enter_async_context(open_sessions(settings, credential))
        sender = Sender(servicebus, settings.queue)
        stack.push_async_callback(sender.close)
        leases = SessionLeases(pool, Permits(settings.max_sessions), settings)
        container, patience = settings.results_container, settings.wait_in_hand_seconds
        services = Services(
            store=blobs,
            inputs=InputFetcher(blobs, settings),
            leases=leases,
            identifiers=Identifiers(await _session_secret(settings, blobs)),
            committer=Committer(blobs, container, Progress(blobs, container), patience),
            settings=settings,
        )
        opening = asyncio.Semaphore(LINKS_OPENING)
        worker = Worker(
            settings,
            Processor(services),
            leases,
            lambda: Receiver(servicebus, settings.queue, sender, opening),
        )
        return await worker.run(stop, drain=drain)


async def _credential(settings: ClientSettings, stack: AsyncExitStack) -> AsyncTokenCredential | None:
    """One credential for all services, or None when each of them has a key."""
    keys = [settings.servicebus_connection_string, settings.storage_connection_string]
    if isinstance(settings, WorkerSettings):
        keys.append(settings.pool_token)
    if all(keys):
        return None
    from azure.identity.aio import DefaultAzureCredential  # noqa: PLC0415 - slow to import, often not needed

    return await stack.enter_async_context(DefaultAzureCredential())


async def _session_secret(settings: WorkerSettings, blobs: Blobs) -> bytes:
    """The deployment's secret behind session identifiers: as set, else kept beside the results."""
    if settings.session_secret:
        return settings.session_secret.get_secret_value().encode()
    blob = f"{settings.results_container}/_deployment/session-secret"
    try:
        return (await blobs.read(blob, limit=SECRET_BYTES)).data
    except BlobMissing:
        with suppress(AlreadyCommitted):  # another worker was first
            await blobs.create(blob, secrets.token_hex(SECRET_BYTES // 2).encode(), content_type="text/plain")
        return (await blobs.read(blob, limit=SECRET_BYTES)).data
