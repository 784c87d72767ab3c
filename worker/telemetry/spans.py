"""One trace for each job: the job, its attempts, and the phases of the one that made the result.

The spans are made after the fact, from what the result tells. Phases stand where they must have been: those
up to the execution one after another from the attempt's start, those after it up to the result's end.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from worker.settlement import Retry
from worker.trace import trace_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from worker.delivery import Delivery
    from worker.observing import Begun, Outcome
    from worker.result import Result, Timings
    from worker.settlement import Settlement

FROM_START = ("fetch", "wait", "allocate", "execute")
TO_END = ("store", "check", "release")
BROKEN: tuple[Outcome, ...] = ("let_go", "uncertain")
SAMPLED = 1


@dataclass(frozen=True)
class Span:
    """A span as it is exported; times are nanoseconds since the epoch.

    Attributes:
        parent: id of the span above it; None for a trace that begins here.
        failed: whether the platform failed; a program that fails is no failure of it.
        consumes: whether it stands for the message's reception.
    """

    name: str
    trace_id: int
    span_id: int
    parent: int | None
    start: int
    end: int
    attributes: Mapping[str, str | int] = field(default_factory=dict)
    failed: bool = False
    consumes: bool = False


@dataclass(frozen=True)
class JobTrace:
    """A job's part of a trace: its sender's, or one of its own that each delivery and copy has in common."""

    trace_id: int
    job: int
    parent: int | None
    is_sampled: bool = True

    def child(self, name: str) -> int:
        """The id of a span in it, by a name that no other one has."""
        return int(hashlib.sha256(f"{self.job:016x}/{name}".encode()).hexdigest()[:16], 16)


def job_trace(delivery: Delivery, attempt: Begun) -> JobTrace:
    """The trace that a delivery's spans belong to. Events of the job's end name the same span."""
    sender = trace_of(delivery.properties)
    if attempt.trace and sender:
        _, trace_id, span_id, flags = attempt.trace.traceparent.split("-")
        parent = sender.traceparent.split("-")[2]
        return JobTrace(int(trace_id, 16), int(span_id, 16), int(parent, 16), bool(int(flags, 16) & SAMPLED))
    name = f"{attempt.batch}/{attempt.job_id}/{delivery.queue}/{delivery.origin}"
    digest = hashlib.sha256(name.encode()).hexdigest()
    return JobTrace(int(digest[:32], 16), int(digest[32:48], 16), None)


@dataclass(frozen=True)
class Handled:
    """A delivery that is out of hand.

    Attributes:
        queue: the name of the queue it came from.
        result: what it has committed; None if another did, or nobody.
        ended: when it was settled, in nanoseconds since the epoch.
        seconds: from its receipt to its settlement.
    """

    delivery: Delivery
    attempt: Begun
    queue: str
    result: Result | None
    settlement: Settlement
    outcome: Outcome
    ended: int
    seconds: float

    @property
    def received(self) -> int:
        """When the message came."""
        return self.ended - _ns(self.seconds)


def spans_of(handled: Handled, trace: JobTrace) -> Iterator[Span]:
    """The attempt with its phases and, if the result is its own, the job itself."""
    result, attempt_id = handled.result, trace.child(handled.attempt.name)
    if result:
        yield from _job(handled, result, trace)
    yield Span(
        "attempt",
        trace.trace_id,
        attempt_id,
        trace.job,
        handled.received,
        handled.ended,
        {
            "jsworker.batch": handled.attempt.batch,
            "jsworker.job": handled.attempt.job_id,
            "jsworker.attempts": handled.attempt.number,
            "jsworker.delivery_count": handled.delivery.delivery_count,
            "jsworker.outcome": handled.outcome,
        },
        failed=_is_lost(handled),
    )
    if result:
        start = min(handled.ended, max(handled.received, _epoch_ns(result.started_at)))
        end = min(handled.ended, max(start, _epoch_ns(result.finished_at)))
        for name, since, until in _phases(result.timings, start, end):
            yield Span(name, trace.trace_id, trace.child(f"{attempt_id}/{name}"), attempt_id, since, until)


def _job(handled: Handled, result: Result, trace: JobTrace) -> Iterator[Span]:
    queued = max(0, _ns((handled.delivery.queued_ms or 0) / 1000))
    sent, received = handled.received - queued, handled.received
    told = {
        "messaging.system": "servicebus",
        "messaging.destination.name": handled.queue,
        "jsworker.batch": result.batch,
        "jsworker.job": result.id,
        "jsworker.status": result.status,
        "jsworker.verdict": result.verdict,
        "jsworker.attempts": result.attempts,
        "jsworker.session.policy": result.session.policy if result.session else None,
    }
    yield Span(
        "job",
        trace.trace_id,
        trace.job,
        trace.parent,
        sent,
        handled.ended,
        {name: value for name, value in told.items() if value is not None},
        failed=result.status == "infrastructure_failed",
        consumes=True,
    )
    if queued:
        yield Span("queued", trace.trace_id, trace.child("queued"), trace.job, sent, received)


def _phases(timings: Timings, start: int, end: int) -> Iterator[tuple[str, int, int]]:
    for names, way in ((FROM_START, 1), (TO_END, -1)):
        here: int = start if way > 0 else end
        for name in names:
            milliseconds = getattr(timings, f"{name}_ms")
            if milliseconds is not None:
                there = here + way * _ns(milliseconds / 1000)
                yield name, min(here, there), max(here, there)
                here = there


def _is_lost(handled: Handled) -> bool:
    settlement = handled.settlement
    spent = isinstance(settlement, Retry) and settlement.history.attempts > handled.delivery.history.attempts
    return spent or handled.outcome in BROKEN


def _ns(seconds: float) -> int:
    return int(seconds * 1e9)


def _epoch_ns(moment: datetime) -> int:
    return _ns(moment.timestamp())
