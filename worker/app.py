"""Wiring: the settings' services, opened and put together."""

from __future__ import annotations

import asyncio
import socket
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from worker.admission import Admissions
from worker.announcing import Announcements
from worker.blobs import open_blobs
from worker.breaker import Breaker
from worker.browsing import Browser, Browsers
from worker.cancelling import Cancellations
from worker.children import endings_of
from worker.completion import Completions
from worker.dead_letter_queue import DeadLetterQueue
from worker.dead_letters import Recorder
from worker.deployment import session_secret
from worker.faults import CapacityFault, InfrastructureFault
from worker.health import serve_health
from worker.identifiers import Identifiers
from worker.inputs import InputFetcher
from worker.job_queues import JobQueues
from worker.job_run import Services
from worker.lane import subscription_of
from worker.lifecycle import Worker
from worker.outbox import Outbox, Sending
from worker.patience import with_patience
from worker.permit_leases import PermitLeases
from worker.permits import Permits
from worker.posting import Posting
from worker.processor import Processor
from worker.queue_links import Links, Queues
from worker.routes_file import configured_routes
from worker.routing import Router
from worker.servicebus import Sender, open_servicebus
from worker.session_leases import SessionLeases
from worker.sessions import open_sessions
from worker.settings import WorkerSettings
from worker.shares import Shares
from worker.suspects import Company, Suspects
from worker.vitals import Vitals
from worker.webhook_wiring import webhook_queues

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from azure.core.credentials_async import AsyncTokenCredential

    from worker.blobs import Blobs
    from worker.committing import Committer
    from worker.endings import Endings
    from worker.routes import RoutesFile
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
    credential = await credential_for(settings, stack)
    blobs = await stack.enter_async_context(open_blobs(settings, credential))
    pool = await stack.enter_async_context(open_sessions(settings, credential))
    links = Links(await stack.enter_async_context(open_servicebus(settings, credential)))
    stack.push_async_callback(links.close)
    secret = await with_patience(
        lambda: session_secret(settings, blobs),
        settings.wait_in_hand_seconds,
        CapacityFault,
        InfrastructureFault,
    )
    identifiers = Identifiers(secret, "" if settings.permit_leases else settings.instance)
    leases = SessionLeases(pool, permits, identifiers, settings)
    sender, posting = links.sender(settings.queue), Posting(links, settings.webhooks_queue)
    outbox = Outbox(blobs, settings.results_container, Sending(posting, Announcements(settings)))
    completions = Completions(blobs, settings.results_container, outbox)
    patience = settings.wait_in_hand_seconds
    endings = endings_of(blobs, sender, settings, patience, on_told=completions.committed, outbox=outbox)
    services = _services(settings, blobs, endings, leases, vitals=vitals, permits=permits)
    queues = Queues(services, links)
    duties = [services.cancellations.run, *queues.duties, completions.run, outbox.run]
    if settings.permit_leases:
        shared = PermitLeases(blobs, pool, permits, identifiers, settings)
        stack.push_async_callback(shared.close)
        duties += [shared.run, services.leases.tidy]
    else:
        await services.leases.sweep()
    beside = await stack.enter_async_context(webhook_queues(settings, links.servicebus))
    job_queues = JobQueues(links.sender, settings.queue)
    processor = Processor(services, Router(routes, job_queues, blobs, endings, settings))
    return Worker(services, permits, processor, queues.receiver, duties, side_queues=beside)


def _services(  # noqa: PLR0913 - wiring
    settings: WorkerSettings,
    blobs: Blobs,
    endings: Endings,
    leases: SessionLeases,
    *,
    vitals: Vitals,
    permits: Permits,
) -> Services:
    container = settings.results_container
    return Services(
        store=blobs,
        inputs=InputFetcher(blobs, settings),
        leases=leases,
        committer=endings.committer,
        endings=endings,
        breaker=Breaker("services", vitals),
        company=Company(),
        suspects=Suspects(blobs, container),
        cancellations=Cancellations(blobs, container),
        admissions=Admissions(blobs, container),
        vitals=vitals,
        settings=settings,
        shares=Shares(settings.fair_lookahead, lambda: permits.limit, settings.beyond),
    )


async def credential_for(settings: ClientSettings, stack: AsyncExitStack) -> AsyncTokenCredential | None:
    """One credential for all services, or None when each of them has a key."""
    keys = [settings.servicebus_connection_string, settings.storage_connection_string]
    if isinstance(settings, WorkerSettings):
        keys.append(settings.pool_token)
    if all(keys):
        return None
    from azure.identity.aio import DefaultAzureCredential  # noqa: PLC0415 - slow to import, often not needed

    return await stack.enter_async_context(DefaultAzureCredential())
