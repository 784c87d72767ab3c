"""Events become jobs: made, kept or refused, and sent, before their message is settled.

A crash on the way is repaired by the next delivery, which makes the same jobs under the same ids: those that
have a result are left out, and what was sent already is a duplicate to the queue, or finds its result.
"""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import structlog
from pydantic import ValidationError

from worker.endings import After
from worker.faults import AlreadyCommitted, JobRejected
from worker.job import Carried
from worker.planning import others, plan, takes_long
from worker.result import Error, Result

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from worker.attempt import Attempt
    from worker.endings import Endings
    from worker.events import Event
    from worker.planning import Plan, Planned
    from worker.routes import RoutesFile
    from worker.settings import WorkerSettings

log = structlog.get_logger()
TOGETHER = 16
_TOLD = 200  # characters of what an event says of itself


@dataclass(frozen=True)
class JobMessage:
    """A job to send.

    Attributes:
        queue: where to; None for the queue the worker receives from.
        traceparent: of the trace it belongs to.
        replaces: ETag of the result that it may replace.
    """

    body: bytes
    message_id: str
    queue: str | None = None
    traceparent: str | None = None
    replaces: str | None = None


class Sends(Protocol):
    """What is needed of the queues; see ``worker.job_queues.JobQueues``."""

    async def send(self, jobs: Sequence[JobMessage]) -> None: ...  # noqa: D102 - the adapter says


class Creates(Protocol):
    """What is needed of the blob store; see ``worker.blobs.Blobs``."""

    async def create(self, blob: str, data: bytes) -> str: ...  # noqa: D102


class Router:
    """Makes jobs of events by a file of routes.

    Args:
        routes: None where the worker has none: every event is refused then.
        queues: where jobs go.
        store: for events that fit no message.
        endings: for the results of jobs that cannot be made.
        settings: the worker's.

    Attributes:
        unmatched: how many events no route has taken so far.
    """

    def __init__(
        self,
        routes: RoutesFile | None,
        queues: Sends,
        store: Creates,
        endings: Endings,
        settings: WorkerSettings,
    ) -> None:
        self._routes, self._queues, self._store = routes, queues, store
        self._endings, self._settings = endings, settings
        self.unmatched = 0

    async def route(self, events: Sequence[Event], attempt: Attempt, *, again: bool) -> None:
        """Do all that a message's events ask for; it may be completed then.

        Args:
            events: those of one message.
            attempt: of that message, whose name is no other's.
            again: whether somebody asked for another try: jobs that were refused may have other results.

        Raises:
            JobRejected: the message is to be dead-lettered: ``no_routes``, ``event_unmatched``, or why one
                of the jobs cannot be made. All others are sent by then, and that one has its result.
            ServiceFault: something is not done; all of it may be done again.
        """
        events = self._without_results(events)
        if not events:
            return
        if self._routes is None:
            message = "an event came, and this worker has no routes: set JSWORKER_ROUTES to a file of them"
            raise JobRejected("no_routes", message)
        found = await self._plan(self._routes, events)
        self._tell_unmatched(found.unmatched)
        sent = 0
        for start in range(0, len(found.jobs), TOGETHER):
            some = found.jobs[start : start + TOGETHER]
            messages = await asyncio.gather(*(self._prepared(job, attempt, again=again) for job in some))
            jobs = [message for message in messages if message]
            if jobs:
                await self._queues.send(jobs)
            sent += len(jobs)
        refused = len(found.refused)
        log.info("events_routed", events=len(events), jobs=len(found.jobs), sent=sent, refused=refused)
        _refuse(self._routes, found)

    async def _plan(self, routes: RoutesFile, events: Sequence[Event]) -> Plan:
        """In a thread when it may take long: the message's lock is renewed meanwhile."""
        if takes_long(routes):
            return await asyncio.to_thread(plan, routes, events, self._settings.max_chain_depth)
        return plan(routes, events, self._settings.max_chain_depth)

    def _without_results(self, events: Sequence[Event]) -> Sequence[Event]:
        kept = others(events, self._settings.results_container)
        if len(kept) < len(events):
            log.warning(
                "events_of_results_passed_over",
                count=len(events) - len(kept),
                remedy="leave the container of results out of the event subscription",
            )
        return kept

    def _tell_unmatched(self, events: Iterable[Event]) -> None:
        for event in events:
            self.unmatched += 1
            log.warning(
                "event_unmatched",
                type=event.type[:_TOLD],
                source=event.source[:_TOLD],
                subject=(event.subject or "")[:_TOLD],
                count=self.unmatched,
            )

    async def _prepared(self, job: Planned, attempt: Attempt, *, again: bool) -> JobMessage | None:
        """A job's message, with all that it refers to in place; None for one that has or gets its result."""
        is_open, etag = await self._standing(job, again=again)
        if not is_open:
            return None
        if isinstance(job.outcome, JobRejected):
            result = self._refused(job, job.outcome, attempt)
            await self._endings.end(
                result, After(trigger=job.trigger, queue=attempt.queue), attempt.name, etag
            )
            return None
        if job.outcome.event_blob:
            await self._keep(job.outcome.event_blob, job.outcome.event_data)
        # A mark of its own, or it is taken for a duplicate of the job that was refused.
        mark = f".{hashlib.sha256(etag.encode()).hexdigest()[:8]}" if etag else ""
        return JobMessage(job.outcome.body, job.message_id + mark, job.route.queue, job.traceparent, etag)

    async def _standing(self, job: Planned, *, again: bool) -> tuple[bool, str | None]:
        """Whether something is to be done for a job, and the ETag of the result that may be replaced."""
        if not again:
            return not await self._endings.committer.is_committed(job.batch, job.id), None
        standing = await self._endings.committer.standing(job.batch, job.id)
        if standing is None:
            return True, None
        try:
            status = Result.model_validate_json(standing.data).status
        except ValidationError:
            return False, None
        return status == "rejected", standing.etag

    async def _keep(self, blob: str, data: bytes) -> None:
        """One that is there already is an earlier delivery's, of the same event."""
        try:
            await self._store.create(blob, data)
        except AlreadyCommitted:
            log.info("event_kept_already", blob=blob)

    def _refused(self, job: Planned, fault: JobRejected, attempt: Attempt) -> Result:
        own = replace(attempt, job_id=job.id, batch=job.batch, carried=Carried({}, job.trigger))
        error = Error(code=fault.code, message=fault.message, field=fault.field)
        log.warning("job_refused", batch=job.batch, job=job.id, code=error.code, field=error.field)
        return own.result("rejected", self._settings, error=error)


def _refuse(routes: RoutesFile, found: Plan) -> None:
    """Refuse the message of events of which not all has become what it should."""
    if found.refused:
        job, fault = found.refused[0]
        also = f" (and {len(found.refused) - 1} more)" if len(found.refused) > 1 else ""
        message = f"route {job.route.name}: {fault.message}; this is the result of {job.message_id}{also}"
        raise JobRejected(fault.code, message, fault.field)
    if found.unmatched and routes.unmatched == "dead_letter":
        event = found.unmatched[0]
        message = f"no route takes the event {event.id:.200} of the type {event.type:.200}"
        raise JobRejected("event_unmatched", message)
