"""Nothing is ever only in the dead-letter queue: each dead letter, whoever made it, gets a result."""

from __future__ import annotations

import asyncio
import random
import secrets
from contextlib import aclosing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

import structlog

from worker.endings import After
from worker.envelope import document_of
from worker.events import events_in, is_event
from worker.faults import JobRejected, ServiceFault
from worker.job import Carried, carried, validate_job
from worker.result import Error, Producer, Result
from worker.trace import own_trace
from worker.version import __version__

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from worker.endings import Endings
    from worker.result import Status
    from worker.seen import Seen

log = structlog.get_logger()
PAUSE_SECONDS = 3.0
PAUSE_SECONDS_A_LETTER = 0.01
TOGETHER = 16
_LOST = (
    "the queue gave the {kind} to a worker {count} times, and each time the worker ended or lost touch with "
    "the queue before there was a result"
)
_EXPIRED = "the {kind} waited longer than its message's time to live"
_BROKERS = {"MaxDeliveryCountExceeded": ("lost", _LOST), "TTLExpiredException": ("expired", _EXPIRED)}


class Looks(Protocol):
    """What is needed to look at a queue; see ``worker.browsing.Browser``."""

    def messages(self, *, dead: bool) -> AsyncGenerator[Seen]: ...  # noqa: D102 - the adapter says


class Recorder:
    """Gives dead letters their results."""

    def __init__(self, endings: Endings, instance: str) -> None:
        self._endings = endings
        self._producer = Producer(version=__version__, instance=instance)

    async def record(self, letter: Seen) -> bool:
        """See to it that the letter's job has a result, and that what follows it is sent.

        False when it has a result already, which then stands.
        """
        job_id, batch = letter.job
        after = _after(letter)
        if await self._endings.committer.is_committed(batch, job_id):
            await self._endings.follow_up(batch, job_id, after)
            return False
        result = result_of(letter, self._producer)
        await self._endings.end(result, after, f"dead-{letter.sequence_number}-{secrets.token_hex(3)}")
        error = result.error.model_dump() if result.error else {}
        log.warning(
            "dead_letter_recorded",
            sequence_number=letter.sequence_number,
            batch=batch,
            job=job_id,
            status=result.status,
            **error,
        )
        return True


class Sweeper:
    """Gives every dead letter of a queue a result, and leaves it where it is. Many may do so at once."""

    def __init__(self, browser: Looks, recorder: Recorder) -> None:
        self._browser, self._recorder = browser, recorder
        self._known: set[int] = set()
        self._broken: set[int] = set()
        self._trouble: str | None = None

    async def run(self) -> None:
        """Look at the dead letters every few seconds, more seldom the more there are. Ends when cancelled."""
        while True:
            count = await self._round()
            pause = max(PAUSE_SECONDS, count * PAUSE_SECONDS_A_LETTER)
            await asyncio.sleep(pause * random.uniform(0.8, 1.2))  # noqa: S311 - jitter

    async def sweep(self) -> int:
        """Look at all dead letters once, and record those that are new; returns how many there are.

        Raises:
            ServiceFault: a service did not do its part; the letters it concerns are new the next time too.
        """
        present: set[int] = set()
        unseen: list[Seen] = []
        async with aclosing(self._browser.messages(dead=True)) as letters:
            async for letter in letters:
                present.add(letter.sequence_number)
                if letter.sequence_number not in self._known:
                    unseen.append(letter)
                if len(unseen) == TOGETHER:
                    await self._record_all(unseen)
                    unseen = []
        await self._record_all(unseen)
        self._known &= present
        self._broken &= present
        return len(present)

    async def _round(self) -> int:
        """A sweep whose faults are logged when they change, and no more."""
        try:
            count = await self.sweep()
        except Exception as fault:  # whatever it is, jobs must go on, and the next round may fare better
            count, trouble = len(self._known), str(fault) or repr(fault)
            if trouble != self._trouble:
                unforeseen = None if isinstance(fault, ServiceFault) else fault
                log.warning("dead_letters_not_swept", reason=trouble, exc_info=unforeseen)
            self._trouble = trouble
        else:
            if self._trouble:
                log.info("dead_letters_swept_again", count=count)
            self._trouble = None
        return count

    async def _record_all(self, letters: Sequence[Seen]) -> None:
        """All are tried, whatever becomes of one."""
        faults = await asyncio.gather(*(self._record(letter) for letter in letters))
        for fault in filter(None, faults):
            raise fault

    async def _record(self, letter: Seen) -> ServiceFault | None:
        number = letter.sequence_number
        try:
            await self._recorder.record(letter)
        except ServiceFault as fault:
            return fault
        except Exception:  # a letter that nobody foresaw must not keep the others from their results
            if number not in self._broken:
                log.exception("dead_letter_not_recorded", sequence_number=number)
            self._broken.add(number)
        else:
            self._known.add(number)
        return None


def result_of(letter: Seen, producer: Producer) -> Result:
    """The terminal result of a dead letter whose job has none."""
    job_id, batch = letter.job
    status, error = _why(letter)
    now, taken_over = datetime.now(UTC), _carried(letter)
    return Result(
        id=job_id,
        batch=batch,
        status=status,
        error=error,
        attempts=letter.history.attempts,
        deliveries=letter.delivery_count,
        faults=letter.history.reasons,
        worker=producer,
        started_at=now,
        finished_at=now,
        trigger=taken_over.trigger,
        trace=own_trace(letter.properties, batch, job_id),
        metadata=taken_over.metadata,
    )


def _why(letter: Seen) -> tuple[Status, Error]:
    try:
        kind = _kind(letter)
    except JobRejected as rejection:
        return "rejected", Error(code=rejection.code, message=rejection.message, field=rejection.field)
    reason = letter.reason or "no reason given"
    if reason in _BROKERS:
        code, message = _BROKERS[reason]
        told = message.format(count=letter.delivery_count, kind=kind)
        return "infrastructure_failed", Error(code=code, message=told)
    description = f": {letter.description[:1000]}" if letter.description else ""
    message = f"the {kind}'s message was taken out of the queue ({reason[:200]}{description})"
    return "infrastructure_failed", Error(code="dead_lettered", message=message)


def _kind(letter: Seen) -> str:
    """What the letter is, if it is one that can be used."""
    document = document_of(letter.body, letter.envelope)
    if is_event(document):
        events_in(document, len(letter.body or b""))
        return "event"
    validate_job(document)
    return "job"


def _after(letter: Seen) -> After:
    """What the job's end leads to; no steps of a job that is not valid."""
    job_id, batch = letter.job
    trace = own_trace(letter.properties, batch, job_id)
    try:
        job = validate_job(document_of(letter.body, letter.envelope))
    except JobRejected:
        return After((), _carried(letter).trigger, trace=trace)
    return After(job.then, job.trigger, job.reply_to, trace)


def _carried(letter: Seen) -> Carried:
    try:
        return carried(document_of(letter.body, letter.envelope))
    except JobRejected:
        return carried(None)
