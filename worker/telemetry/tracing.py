"""Hears of jobs and makes their traces."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from worker.clock import now
from worker.telemetry.in_hand import InHand
from worker.telemetry.spans import Handled, job_trace, spans_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from worker.delivery import Delivery, Renewal
    from worker.observing import Begun, Outcome, Resource, Service
    from worker.result import Result
    from worker.settlement import Settlement
    from worker.telemetry.spans import Span

_IDS = 1 << 64  # how many there are of the half of a trace's id that is drawn by


class Traces:
    """Makes a trace of each job; see ``worker.observing.Observer``.

    Args:
        queue: the name of the only queue, or of the first.
        ratio: which part of all traces is recorded, chosen by their ids: all workers choose the same. Those
            that their senders do not record are left out besides.
        emit: takes a span.
    """

    def __init__(self, queue: str, ratio: float, emit: Callable[[Span], None]) -> None:
        self._queue, self._bound, self._emit = queue, round(ratio * _IDS), emit
        self._in_hand = InHand()

    def began(self, delivery: Delivery, attempt: Begun) -> None:
        """Remember whose delivery it is."""
        self._in_hand.began(delivery, attempt)

    def committed(self, result: Result, attempt: str, _queue: str) -> None:
        """Remember the result."""
        self._in_hand.committed(result, attempt)

    def settled(self, delivery: Delivery, settlement: Settlement, outcome: Outcome) -> None:
        """Make the spans of a delivery, if it was a job's."""
        work = self._in_hand.settled(delivery)
        if work is None:
            return
        trace = job_trace(delivery, work.attempt)
        if not trace.is_sampled or trace.trace_id % _IDS >= self._bound:
            return
        handled = Handled(
            delivery,
            work.attempt,
            delivery.queue or self._queue,
            work.result,
            settlement,
            outcome,
            time.time_ns(),
            now() - delivery.received_at,
        )
        for span in spans_of(handled, trace):
            self._emit(span)

    def attempt_lost(self, delivery: Delivery, *, during_outage: bool) -> None:
        """The settlement tells."""

    def lock_renewal(self, delivery: Delivery, outcome: Renewal) -> None:
        """Of no trace."""

    def refused(self, resource: Resource) -> None:
        """Of no trace."""

    def called(self, service: Service, operation: str, result: str, seconds: float) -> None:
        """Of no trace: the phases tell enough."""
