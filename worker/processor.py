"""From a delivery to its settlement. It raises only when cancelled."""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import structlog

from worker.admission import Later, Refused
from worker.attempt import Attempt
from worker.cancelling import JobCancelled
from worker.ended import TOO_DEEP
from worker.envelope import document_of
from worker.events import depth_in, events_in, is_event
from worker.faults import (
    ConfigurationFault,
    ExecutionLost,
    InfrastructureFault,
    JobRejected,
    ServiceFault,
    SessionFileMissing,
    SessionLost,
)
from worker.job import Carried, Job, carried, named, validate_job
from worker.job_run import JobRun, session_tag
from worker.patience import backoff_seconds
from worker.result import Error
from worker.settlement import Complete, DeadLetter, Retry
from worker.suspects import MARKS_BEFORE_GIVING_UP
from worker.trace import own_trace
from worker.trigger import MOST_DEPTH, Trigger

if TYPE_CHECKING:
    from worker.delivery import Delivery
    from worker.job_run import Services
    from worker.result import Result, Status
    from worker.routing import Router
    from worker.settlement import History, Settlement

log = structlog.get_logger()
DELIVERIES_BEFORE_A_COPY = 8  # well under the queue's maximum, after which it would dead-letter the message
SETBACKS_BEFORE_GIVING_UP = 10
LONGEST_WAIT_SECONDS = 60.0


class Processor:
    """Handles deliveries, many at a time; each call of ``process`` is one job from receipt to settlement."""

    def __init__(self, services: Services, router: Router) -> None:
        self._services, self._settings, self._router = services, services.settings, router
        self._breaker = services.breaker

    async def process(self, delivery: Delivery) -> Settlement:
        """Do all that a delivery asks for and say how its message is to be settled."""
        try:
            return await self._process(delivery)
        except ServiceFault as fault:
            return self._postponed(delivery, fault)
        except SessionLost as lost:
            return self._lost(delivery, str(lost), during_outage=False)
        except ExecutionLost as lost:
            self._breaker.failed(str(delivery.origin), str(lost))
            return self._lost(delivery, str(lost), during_outage=not self._breaker.is_closed)
        except SessionFileMissing as missing:
            return self._lost(delivery, f"the session's file {missing} is gone", during_outage=False)
        except Exception as error:  # the one broad clause: a fault of our own must not lose the job
            log.exception("job_failed_unexpectedly")
            return self._lost(delivery, f"the worker failed: {error!r}", during_outage=False)

    async def _process(self, delivery: Delivery) -> Settlement:
        attempt = _attempt(delivery, None)
        try:
            document = document_of(delivery.body, delivery.envelope)
            attempt = _attempt(delivery, document)
            structlog.contextvars.bind_contextvars(job=attempt.job_id, batch=attempt.batch)
            if is_event(document):
                made_by = Trigger(depth=min(MOST_DEPTH, depth_in(document) + 1))
                attempt = replace(attempt, carried=Carried({}, made_by))
                return await self._routed(delivery, attempt, document)
            if self._services.shares.gives_way(delivery, attempt.batch):
                return Retry(0, delivery.history.after_yield())
            with self._services.shares.held(delivery, attempt.batch):
                job = validate_job(document)
                attempt = replace(attempt, then=job.then, reply_to=job.reply_to)
                return await self._settled(delivery, attempt, job)
        except JobRejected as rejection:
            error = Error(code=rejection.code, message=rejection.message, field=rejection.field)
            return await self._give_up(delivery, attempt, "rejected", error)

    async def _settled(self, delivery: Delivery, attempt: Attempt, job: Job) -> Settlement:
        self._services.observer.began(delivery, attempt)
        check_trigger(job.trigger, self._settings.max_chain_depth)
        self._services.inputs.check(job)
        self._services.endings.announcements.check(job.reply_to)
        if delivery.delivery_count:
            await self._services.leases.fence(session_tag(job, delivery))
        if (delivery.redelivered or job.trigger) and await self._services.committer.confirm(
            job.batch, job.id, delivery.history.replaces
        ):
            log.info("job_already_committed")
            await self._services.endings.follow_up(job.batch, job.id, attempt.after)
            return Complete()
        if reason := await self._hopeless(delivery, job):
            spent = replace(attempt, number=max(1, delivery.history.attempts))
            return await self._give_up(delivery, spent, "infrastructure_failed", reason)
        if delivery.delivery_count >= DELIVERIES_BEFORE_A_COPY:
            return Retry(0, delivery.history.after_wait("handed back many times"))
        if (refused := await self._refused(delivery, attempt, job)) is not None:
            return refused
        try:
            async with self._services.cancellations.stopping(job.batch, job.id):
                result = await self._run(delivery, attempt, job)
        except JobCancelled:
            error = Error(code="cancelled", message="the job was cancelled")
            result = attempt.result("cancelled", self._settings, error=error)
            log.info("job_cancelled")
        await self._services.endings.end(result, attempt.after, attempt.name, delivery.history.replaces)
        self._breaker.worked(str(delivery.origin))
        log.info("job_completed", status=result.status, timings=result.timings.model_dump())
        return Complete()

    async def _refused(self, delivery: Delivery, attempt: Attempt, job: Job) -> Settlement | None:
        """What becomes of a schedule's run that may not start, or not now."""
        scheduled = job.trigger.schedule if job.trigger else None
        is_wanted_again = bool(delivery.history.replaces)
        if (
            scheduled is None
            or is_wanted_again
            or self._services.cancellations.is_cancelled(job.batch, job.id)
        ):
            return None
        verdict = await self._services.admissions.admit(
            job.batch, job.id, scheduled, is_new=not delivery.history.attempts
        )
        match verdict:
            case Refused(code, message):
                result = attempt.result("cancelled", self._settings, error=Error(code=code, message=message))
                await self._services.endings.end(result, attempt.after, attempt.name)
                log.info("run_refused", code=code, schedule=scheduled.name)
                return Complete()
            case Later(seconds):
                return Retry(seconds, delivery.history.after_turn())
        return None

    async def _routed(self, delivery: Delivery, attempt: Attempt, document: object) -> Settlement:
        """Make jobs of a message's events."""
        history = delivery.history
        events = events_in(document, len(delivery.body or b""))
        if reason := self._worn_out(history):
            return await self._give_up(delivery, attempt, "infrastructure_failed", reason)
        if delivery.delivery_count >= DELIVERIES_BEFORE_A_COPY:
            return Retry(0, history.after_attempt("handed back many times"))
        await self._router.route(events, attempt, again=history.replaces is not None)
        self._breaker.worked(str(delivery.origin))
        return Complete()

    async def _hopeless(self, delivery: Delivery, job: Job) -> Error | None:
        """Why the job is not to be tried again, if so."""
        suspects = self._services.suspects
        if reason := self._worn_out(delivery.history):
            return reason
        if suspects.is_one(delivery) and await suspects.crashes(delivery, job) >= MARKS_BEFORE_GIVING_UP:
            message = f"{delivery.delivery_count} workers ended while they had this job"
            return Error(code="lost", message=message)
        return None

    def _worn_out(self, history: History) -> Error | None:
        """Why a message is not to be tried again for what it has been through, if so."""
        last = history.reasons[-1] if history.reasons else ""
        if history.attempts >= self._settings.max_attempts:
            message = f"the platform failed {history.attempts} times, the last time so: {last}"
            return Error(code="attempts_exhausted", message=message)
        if history.setbacks >= SETBACKS_BEFORE_GIVING_UP:
            message = f"the platform failed this job {history.setbacks} times and served others: {last}"
            return Error(code="refused", message=message)
        return None

    async def _run(self, delivery: Delivery, attempt: Attempt, job: Job) -> Result:
        suspects, run = self._services.suspects, JobRun(self._services, delivery, attempt, job)
        is_suspect = suspects.is_one(delivery)
        async with self._services.company.joined(alone=is_suspect):
            if not is_suspect:
                return await run.result()
            log.warning("suspect_runs_alone")
            async with suspects.marked(delivery, job):
                return await run.result()

    def _postponed(self, delivery: Delivery, fault: ServiceFault) -> Settlement:
        """Try again later, no attempt spent; a fault that the job meets alone counts against it."""
        level = "error" if isinstance(fault, ConfigurationFault) else "warning"
        getattr(log, level)("job_postponed", reason=str(fault))
        who, history, reason = str(delivery.origin), delivery.history, str(fault)
        is_setback = isinstance(fault, InfrastructureFault) and self._breaker.serves_others(who)
        self._breaker.failed(who, reason)
        delay = backoff_seconds(history.waits, self._settings.retry_base_seconds, LONGEST_WAIT_SECONDS)
        return Retry(delay, history.after_setback(reason) if is_setback else history.after_wait(reason))

    def _lost(self, delivery: Delivery, reason: str, *, during_outage: bool) -> Settlement:
        """An execution came to nothing. That is an attempt, unless the services are out altogether."""
        history = delivery.history
        history = history.after_wait(reason) if during_outage else history.after_attempt(reason)
        self._services.observer.attempt_lost(delivery, during_outage=during_outage)
        log.warning("attempt_lost", attempts=history.attempts, reason=reason, during_outage=during_outage)
        if history.attempts >= self._settings.max_attempts:
            return Retry(0, history)  # its next delivery gives up
        base, longest = self._settings.retry_base_seconds, self._settings.retry_max_seconds
        return Retry(backoff_seconds(max(1, history.attempts), base, longest), history)

    async def _give_up(
        self, delivery: Delivery, attempt: Attempt, status: Status, error: Error
    ) -> Settlement:
        """A terminal result first: nothing is ever only in the dead-letter queue."""
        self._services.observer.began(delivery, attempt)
        result = attempt.result(status, self._settings, error=error)
        await self._services.endings.end(result, attempt.after, attempt.name, delivery.history.replaces)
        log.warning(
            "job_dead_lettered", status=status, code=error.code, field=error.field, reason=error.message
        )
        field = f"{error.field}: " if error.field else ""
        return DeadLetter(error.code, f"{field}{error.message}")


def check_trigger(trigger: Trigger | None, max_depth: int) -> None:
    """Refuse a job whose maker knew that it cannot run, or that comes after too many others."""
    if trigger and trigger.refused:
        raise JobRejected(trigger.refused.code, trigger.refused.message, trigger.refused.field)
    if trigger and trigger.depth > max_depth:
        message = f"the job comes after {trigger.depth} others, and {max_depth} are taken"
        raise JobRejected(TOO_DEEP, message, "trigger.depth")


def _attempt(delivery: Delivery, document: object) -> Attempt:
    job_id, batch = named(document, delivery.origin)
    return Attempt(
        name=f"{delivery.sequence_number}-{delivery.delivery_count}-{secrets.token_hex(3)}",
        job_id=job_id,
        batch=batch,
        carried=carried(document),
        number=delivery.history.attempts + 1,
        deliveries=delivery.history.copies + delivery.delivery_count + 1,
        faults=delivery.history.reasons,
        started_at=datetime.now(UTC),
        trace=own_trace(delivery.properties, batch, job_id),
        queue=delivery.queue,
    )
