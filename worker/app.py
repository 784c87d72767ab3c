"""Wiring: the settings' services, opened and put together."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from worker.admission import Admissions
from worker.announcing import Announcements
from worker.blobs import open_blobs
from worker.breaker import Breaker
from worker.cancelling import Cancellations
from worker.children import endings_of
from worker.completion import Completions
from worker.deployment import session_secret
from worker.faults import CapacityFault, InfrastructureFault
from worker.gauges import LiveParts
from worker.health import serve_health
from worker.identifiers import Identifiers
from worker.inputs import InputFetcher
from worker.job_queues import JobQueues
from worker.job_run import Services
from worker.lifecycle import Worker
from worker.observing import Observers
from worker.outbox import Outbox, Sending
from worker.patience import with_patience
from worker.permit_leases import PermitLeases
from worker.permits import Permits
from worker.posting import Posting
from worker.processor import Processor
from worker.queue_links import Links, Queues
from worker.recent import Recent
from worker.routes_file import configured_routes
from worker.routing import Router
from worker.servicebus import open_servicebus
from worker.session_leases import SessionLeases
from worker.sessions import open_sessions
from worker.shares import Shares
from worker.status import StatusSource
from worker.suspects import Company, Suspects
from worker.telemetry.opening import open_telemetry
from worker.tools import credential_for
from worker.vitals import Vitals
from worker.webhook_wiring import webhook_queues

if TYPE_CHECKING:
    from collections.abc import Callable

    from worker.blobs import Blobs
    from worker.endings import Endings
    from worker.observing import Observer
    from worker.routes import RoutesFile
    from worker.settings import WorkerSettings


async def run_worker(
    settings: WorkerSettings,
    *,
    stop: asyncio.Event,
    drain: bool = False,
    on_served: Callable[[int], None] | None = None,
) -> int:
    """Run the worker until ``stop`` is set or, when draining, the queue is empty; returns the exit status.

    Args:
        settings: of the worker.
        stop: ends it.
        drain: end when the queue is empty.
        on_served: told the port where the worker answers what it does; if the settings have none it is one
            of this machine alone.

    Raises:
        SettingsError: its routes cannot be used, or what is measured cannot be exported.
    """
    routes = configured_routes(settings)
    async with AsyncExitStack() as stack:
        assembling = asyncio.create_task(_assembled(settings, routes, stack, on_served))
        stopping = asyncio.create_task(stop.wait())
        stack.callback(stopping.cancel)
        try:
            await asyncio.wait({assembling, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            assembling.cancel()  # of one that has ended this has no effect
            await asyncio.wait({assembling})
        return 0 if assembling.cancelled() else await assembling.result().run(stop, drain=drain)


async def _assembled(
    settings: WorkerSettings,
    routes: RoutesFile | None,
    stack: AsyncExitStack,
    on_served: Callable[[int], None] | None,
) -> Worker:
    """The worker with all that it needs, opened in the stack."""
    vitals, permits = Vitals(), Permits(0 if settings.permit_leases else settings.max_sessions)
    live, recent = LiveParts(vitals, permits), Recent()
    telemetry = await stack.enter_async_context(open_telemetry(settings, live))
    observer = Observers(recent, *telemetry.observers)
    await _serve(settings, live, recent, telemetry.page, on_served, stack)
    credential = await credential_for(settings, stack)
    blobs = await stack.enter_async_context(open_blobs(settings, credential, observer))
    pool = await stack.enter_async_context(open_sessions(settings, credential, observer))
    links = Links(await stack.enter_async_context(open_servicebus(settings, credential)))
    stack.push_async_callback(links.close)
    identifiers = await _identifiers(settings, blobs)
    leases = live.leases = SessionLeases(pool, permits, identifiers, settings, observer)
    sender, posting = links.sender(settings.queue), Posting(links, settings.webhooks_queue)
    outbox = Outbox(blobs, settings.results_container, Sending(posting, Announcements(settings)))
    completions = Completions(blobs, settings.results_container, outbox)
    patience, told = settings.wait_in_hand_seconds, completions.committed
    endings = endings_of(blobs, sender, settings, patience, on_told=told, outbox=outbox, observer=observer)
    services = _services(settings, blobs, endings, leases, vitals=vitals, permits=permits, observer=observer)
    queues = Queues(services, links)
    duties = [services.cancellations.run, *queues.duties, completions.run, outbox.run]
    duties += telemetry.duties(queues.browsers)
    if settings.permit_leases:
        shared = PermitLeases(blobs, pool, permits, identifiers, settings)
        stack.push_async_callback(shared.close)
        duties += [shared.run, services.leases.tidy]
    else:
        await services.leases.sweep()
    beside = await stack.enter_async_context(webhook_queues(settings, links.servicebus))
    job_queues = JobQueues(links.sender, settings.queue)
    processor = Processor(services, Router(routes, job_queues, blobs, endings, settings))
    live.worker = Worker(services, permits, processor, queues.receiver, duties, side_queues=beside)
    return live.worker


async def _identifiers(settings: WorkerSettings, blobs: Blobs) -> Identifiers:
    """Made under the deployment's secret; for that, an outage of storage is waited for."""
    secret = await with_patience(
        lambda: session_secret(settings, blobs),
        settings.wait_in_hand_seconds,
        CapacityFault,
        InfrastructureFault,
    )
    return Identifiers(secret, "" if settings.permit_leases else settings.instance)


async def _serve(  # noqa: PLR0913, PLR0917 - wiring
    settings: WorkerSettings,
    live: LiveParts,
    recent: Recent,
    metrics: Callable[[], bytes] | None,
    on_served: Callable[[int], None] | None,
    stack: AsyncExitStack,
) -> None:
    """Serve what the worker tells of itself; to this machine alone where just somebody on it asked."""
    status = StatusSource(live, recent, settings.instance)
    alone = on_served and settings.health_port is None
    host, port = ("127.0.0.1", 0) if alone else ("", settings.health_port)
    pages = serve_health(live.vitals, port, status.read, host=host, metrics=metrics)
    served = await stack.enter_async_context(pages)
    if on_served and served:
        on_served(served)


def _services(  # noqa: PLR0913 - wiring
    settings: WorkerSettings,
    blobs: Blobs,
    endings: Endings,
    leases: SessionLeases,
    *,
    vitals: Vitals,
    permits: Permits,
    observer: Observer,
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
        observer=observer,
    )
