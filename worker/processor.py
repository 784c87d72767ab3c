"""From a delivery to its settlement. It raises only when cancelled."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import structlog

from worker.faults import ConfigurationFault, ExecutionLost, JobRejected, ServiceFault, SessionFileMissing
from worker.job import DEFAULT_BATCH, Job, identity, validate_job
from worker.job_run import Attempt, JobRun
from worker.patience import backoff_seconds
from worker.result import Error
from worker.settlement import Complete, DeadLetter, Retry
from worker.strict_json import parse_json

if TYPE_CHECKING:
    from worker.delivery import Delivery
    from worker.job_run import Services
    from worker.result import Status
    from worker.settlement import Settlement

log = structlog.get_logger()
DELIVERIES_BEFORE_GIVING_UP = 10  # well under the queue's maximum, after which there would be no result
LONGEST_WAIT_SECONDS = 60.0


class Processor:
    """Handles deliveries, many at a time; each call of ``process`` is one job from receipt to settlement."""

    def __init__(self, services: Services) -> None:
        self._services, self._settings = services, services.settings

    async def process(self, delivery: Delivery) -> Settlement:
        """Do all that a delivery asks for and say how its message is to be settled."""
        try:
            return await self._process(delivery)
        except ServiceFault as fault:
            level = "error" if isinstance(fault, ConfigurationFault) else "warning"
            getattr(log, level)("job_postponed", reason=str(fault))
            delay = backoff_seconds(
                delivery.history.copies, self._settings.retry_base_seconds, LONGEST_WAIT_SECONDS
            )
            return Retry(delay, delivery.history.after_wait(str(fault)))

    async def _process(self, delivery: Delivery) -> Settlement:
        attempt = _attempt(delivery, None)
        try:
            document = _document(delivery)
            attempt = _attempt(delivery, document)
            structlog.contextvars.bind_contextvars(job=attempt.job_id, batch=attempt.batch)
            return await self._run(delivery, attempt, validate_job(document))
        except JobRejected as rejection:
            error = Error(code=rejection.code, message=rejection.message, field=rejection.field)
            return await self._give_up(attempt, "rejected", error)
        except ExecutionLost as lost:
            return await self._try_again(delivery, attempt, str(lost))
        except SessionFileMissing as missing:
            return await self._try_again(delivery, attempt, f"the session's file {missing} is gone")
        except ServiceFault:
            raise
        except Exception as error:  # the one broad clause: a fault of our own must not lose the job
            log.exception("job_failed_unexpectedly")
            return await self._try_again(delivery, attempt, f"the worker failed: {error!r}")

    async def _run(self, delivery: Delivery, attempt: Attempt, job: Job) -> Settlement:
        self._services.inputs.check(job)
        if delivery.redelivered:
            await self._fence(delivery, job)
            if await self._services.committer.confirm(job.batch, job.id):
                log.info("job_already_committed")
                return Complete()
        if delivery.delivery_count >= DELIVERIES_BEFORE_GIVING_UP:
            message = f"{delivery.delivery_count} workers ended while they had this job"
            return await self._give_up(attempt, "infrastructure_failed", Error(code="lost", message=message))
        result = await JobRun(self._services, delivery, attempt, job).result()
        await self._services.committer.commit(result, attempt.name)
        log.info("job_completed", status=result.status, timings=result.timings.model_dump())
        return Complete()

    async def _fence(self, delivery: Delivery, job: Job) -> None:
        """Delete the sessions of the deliveries before this one: they may still run, and occupy the pool."""
        for count in range(delivery.delivery_count):
            identifier = self._services.identifiers.of_delivery(
                f"{job.batch}/{job.id}", delivery.sequence_number, count
            )
            await self._services.leases.fence(identifier)

    async def _try_again(self, delivery: Delivery, attempt: Attempt, reason: str) -> Settlement:
        history = delivery.history.after_attempt(reason)
        log.warning("attempt_lost", attempt=history.attempts, reason=reason)
        if history.attempts >= self._settings.max_attempts:
            message = f"the platform failed {history.attempts} times, the last time so: {reason}"
            return await self._give_up(
                attempt, "infrastructure_failed", Error(code="attempts_exhausted", message=message)
            )
        base, longest = self._settings.retry_base_seconds, self._settings.retry_max_seconds
        return Retry(backoff_seconds(history.attempts, base, longest), history)

    async def _give_up(self, attempt: Attempt, status: Status, error: Error) -> Settlement:
        """A terminal result first: nothing is ever only in the dead-letter queue."""
        result = attempt.result(status, self._settings, error=error)
        await self._services.committer.commit(result, attempt.name)
        log.warning(
            "job_dead_lettered", status=status, code=error.code, field=error.field, reason=error.message
        )
        field = f"{error.field}: " if error.field else ""
        return DeadLetter(error.code, f"{field}{error.message}")


def _document(delivery: Delivery) -> Any:  # noqa: ANN401 - JSON is what it is
    if delivery.body is None:
        raise JobRejected("invalid_json", "the message's body is not data but an AMQP value or sequence")
    return parse_json(delivery.body)


def _attempt(delivery: Delivery, document: object) -> Attempt:
    """A job without a usable id gets the message's number for one, so that its result has a place."""
    job_id, batch = identity(document)
    metadata = document.get("metadata") if isinstance(document, dict) else None
    return Attempt(
        name=f"{delivery.sequence_number}-{delivery.delivery_count}-{secrets.token_hex(3)}",
        job_id=job_id or f"message-{delivery.sequence_number}",
        batch=batch or DEFAULT_BATCH,
        metadata=metadata if isinstance(metadata, dict) else {},
        number=delivery.history.attempts + 1,
        started_at=datetime.now(UTC),
    )
