"""Wiring: the settings' services, opened and put together."""

from __future__ import annotations

import asyncio
import socket
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from worker.blobs import open_blobs
from worker.breaker import Breaker
from worker.browsing import Browser
from worker.cancelling import Cancellations
from worker.committing import Committer
from worker.completion import Completions
from worker.dead_letter_queue import DeadLetterQueue
from worker.dead_letters import Recorder, Sweeper
from worker.deployment import session_secret
from worker.faults import CapacityFault, InfrastructureFault
from worker.health import serve_health
from worker.identifiers import Identifiers
from worker.inputs import InputFetcher
from worker.job_queues import JobQueues
from worker.job_run import Services
from worker.lifecycle import Worker
from worker.patience import with_patience
from worker.permit_leases import PermitLeases
from worker.permits import Permits
from worker.processor import Processor
from worker.progress import Progress
from worker.routes_file import configured_routes
from worker.routing import Router
from worker.servicebus import Probe, Receiver, Sender, open_servicebus
from worker.session_leases import SessionLeases
from worker.sessions import open_sessions
from worker.settings import WorkerSettings
from worker.suspects import Company, Suspects
from worker.vitals import Vitals
from worker.watchdog import QueueWatch, Watchdog

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from azure.core.credentials_async import AsyncTokenCredential
    from azure.servicebus.aio import ServiceBusClient

    from worker.blobs import Blobs
    from worker.lifecycle import Duty
    from worker.routes import RoutesFile
    from worker.settings import ClientSettings

L = TypeVar("L", JobQueues, Probe, Receiver, Sender)
LINKS_OPENING = 16
TOOLS_PATIENCE_SECONDS = 20


@dataclass(frozen=True)
class DeadLetterTools:
    """What a command needs that looks at dead letters, runs jobs again or removes their letters."""

    blobs: Blobs
    sender: Sender
    browser: Browser
    queue: DeadLetterQueue
    committer: Committer
    recorder: Recorder


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


@asynccontextmanager
async def open_dead_letters(settings: ClientSettings) -> AsyncIterator[DeadLetterTools]:
    """Connect to the queue, its dead letters and the blobs."""
    async with AsyncExitStack() as stack:
        credential = await _credential(settings, stack)
        blobs = await stack.enter_async_context(open_blobs(settings, credential))
        servicebus = await stack.enter_async_context(open_servicebus(settings, credential))
        sender = Sender(servicebus, settings.queue)
        stack.push_async_callback(sender.close)
        browser = Browser(servicebus, settings.queue)
        stack.push_async_callback(browser.close)
        queue = DeadLetterQueue(servicebus, settings.queue, sender)
        stack.push_async_callback(queue.close)
        container = settings.results_container
        committer = Committer(blobs, container, Progress(blobs, container), TOOLS_PATIENCE_SECONDS)
        recorder = Recorder(committer, socket.gethostname())
        yield DeadLetterTools(blobs, sender, browser, queue, committer, recorder)


async def run_worker(settings: WorkerSettings, *, stop: asyncio.Event, drain: bool = False) -> int:
    """Run the worker until ``stop`` is set or, when draining, the queue is empty; returns the exit status.

    Raises:
        SettingsError: its routes cannot be used.
    """
    routes = configured_routes(settings)
    async with AsyncExitStack() as stack:
        assembling = asyncio.create_task(_assembled(settings, routes, stack))
        stopping = asyncio.create_task(stop.wait())
        stack.callback(stopping.cancel)
        try:
            await asyncio.wait({assembling, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            assembling.cancel()  # of one that has ended this has no effect
            await asyncio.wait({assembling})
        return 0 if assembling.cancelled() else await assembling.result().run(stop, drain=drain)


async def _assembled(settings: WorkerSettings, routes: RoutesFile | None, stack: AsyncExitStack) -> Worker:
    """The worker with all that it needs, opened in the stack."""
    vitals, permits = Vitals(), Permits(0 if settings.permit_leases else settings.max_sessions)
    await stack.enter_async_context(serve_health(vitals, settings.health_port))
    credential = await _credential(settings, stack)
    blobs = await stack.enter_async_context(open_blobs(settings, credential))
    pool = await stack.enter_async_context(open_sessions(settings, credential))
    links = _Links(await stack.enter_async_context(open_servicebus(settings, credential)))
    stack.push_async_callback(links.close)
    scope = "" if settings.permit_leases else settings.instance
    secret = await with_patience(
        lambda: session_secret(settings, blobs),
        settings.wait_in_hand_seconds,
        CapacityFault,
        InfrastructureFault,
    )
    identifiers = Identifiers(secret, scope)
    completions = Completions(blobs, settings.results_container)
    committer = _committer(settings, blobs, completions)
    leases = SessionLeases(pool, permits, identifiers, settings)
    services = _services(settings, blobs, committer, leases, vitals)
    duties = [*_queue_duties(services, links), completions.run]
    if settings.permit_leases:
        shared = PermitLeases(blobs, pool, permits, identifiers, settings)
        stack.push_async_callback(shared.close)
        duties += [shared.run, services.leases.tidy]
    else:
        await services.leases.sweep()
    new_receiver = _receivers(services, links, duties)
    queues = links.kept(JobQueues(links.servicebus, settings.queue))
    processor = Processor(services, Router(routes, queues, blobs, committer, settings))
    return Worker(services, permits, processor, new_receiver, duties)


class _Links:
    """The worker's links to the namespace, closed together: each takes the SDK up to a second."""

    def __init__(self, servicebus: ServiceBusClient) -> None:
        self.servicebus = servicebus
        self._closers: list[Callable[[], Awaitable[None]]] = []

    def kept(self, link: L) -> L:
        """The link, to be closed at the end."""
        self._closers.append(link.close)
        return link

    async def close(self) -> None:
        """Close all; what the broker has handed to them goes back to the queue."""
        await asyncio.gather(*(close() for close in self._closers))


def _queue_duties(services: Services, links: _Links) -> list[Duty]:
    """What goes on beside the jobs: cancelled ones are looked for, and dead letters without a result."""
    browser = Browser(links.servicebus, services.settings.queue)
    sweeper = Sweeper(browser, Recorder(services.committer, services.settings.instance))

    async def sweep() -> None:
        try:
            await sweeper.run()
        finally:
            await browser.close()

    return [services.cancellations.run, sweep]


def _receivers(services: Services, links: _Links, duties: list[Duty]) -> Callable[[], Receiver]:
    """What makes the slots' receivers; their watchdog becomes a duty."""
    servicebus, queue = links.servicebus, services.settings.queue
    sender, opening = links.kept(Sender(servicebus, queue)), asyncio.Semaphore(LINKS_OPENING)
    watch = QueueWatch(services.vitals)
    probe = links.kept(Probe(servicebus, queue, watch))
    duties.append(Watchdog(watch, probe.ask).run)
    return lambda: links.kept(Receiver(servicebus, queue, sender, opening, watch))


def _committer(settings: WorkerSettings, blobs: Blobs, completions: Completions) -> Committer:
    container, patience = settings.results_container, settings.wait_in_hand_seconds
    return Committer(blobs, container, Progress(blobs, container), patience, completions.committed)


def _services(
    settings: WorkerSettings, blobs: Blobs, committer: Committer, leases: SessionLeases, vitals: Vitals
) -> Services:
    container = settings.results_container
    return Services(
        store=blobs,
        inputs=InputFetcher(blobs, settings),
        leases=leases,
        committer=committer,
        breaker=Breaker("services", vitals),
        company=Company(),
        suspects=Suspects(blobs, container),
        cancellations=Cancellations(blobs, container),
        vitals=vitals,
        settings=settings,
    )


async def _credential(settings: ClientSettings, stack: AsyncExitStack) -> AsyncTokenCredential | None:
    """One credential for all services, or None when each of them has a key."""
    keys = [settings.servicebus_connection_string, settings.storage_connection_string]
    if isinstance(settings, WorkerSettings):
        keys.append(settings.pool_token)
    if all(keys):
        return None
    from azure.identity.aio import DefaultAzureCredential  # noqa: PLC0415 - slow to import, often not needed

    return await stack.enter_async_context(DefaultAzureCredential())
