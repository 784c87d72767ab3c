"""The worker's metrics. Nothing that a message says becomes an attribute: their values are few and known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from worker.clock import now
from worker.telemetry.in_hand import InHand
from worker.telemetry.instruments import Counts, Seconds

if TYPE_CHECKING:
    from opentelemetry.metrics import Meter

    from worker.delivery import Delivery, Renewal
    from worker.observing import Begun, Outcome, Resource, Service
    from worker.result import Result
    from worker.settlement import Settlement

# seconds; a phase may be the wait in a long queue, a call at most an execution
JOB_BOUNDS = (0.1, 0.25, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 180, 300, 600, 1200)
PHASE_BOUNDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 900, 3600, 14400)
CALL_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 240)
PHASES = ("queued", "fetch", "wait", "allocate", "execute", "release", "store", "check")


class Measurements:
    """Counts and times what a worker does; see ``worker.observing.Observer``.

    Args:
        meter: makes the instruments.
        queue: the name of the only queue, or of the first.
    """

    def __init__(self, meter: Meter, queue: str) -> None:
        self._queue, self._in_hand = queue, InHand()
        self._jobs = Counts(meter, "jsworker.jobs", "{job}", "Results committed.", "status", "queue")
        self._durations = Seconds(
            meter,
            "jsworker.job.duration",
            "From a message's receipt to its settlement.",
            JOB_BOUNDS,
            "status",
        )
        self._phases = Seconds(
            meter, "jsworker.phase.duration", "What jobs spent their time on.", PHASE_BOUNDS, "phase"
        )
        self._settlements = Counts(
            meter, "jsworker.settlements", "{message}", "What became of messages.", "outcome"
        )
        self._lost = Counts(
            meter, "jsworker.attempts.lost", "{attempt}", "Executions without an answer.", "during_outage"
        )
        self._waits = Counts(
            meter, "jsworker.capacity.waits", "{wait}", "Calls refused for lack of capacity.", "resource"
        )
        self._renewals = Counts(
            meter, "jsworker.lock.renewals", "{renewal}", "Renewals of messages' locks.", "outcome"
        )
        call = ("service", "operation", "result")
        self._calls = Counts(meter, "jsworker.calls", "{call}", "Calls to services.", *call)
        self._call_durations = Seconds(
            meter, "jsworker.call.duration", "How long calls to services took.", CALL_BOUNDS, *call
        )

    def began(self, delivery: Delivery, attempt: Begun) -> None:
        """Remember whose delivery it is."""
        self._in_hand.began(delivery, attempt)

    def committed(self, result: Result, attempt: str, queue: str) -> None:
        """Count a job, and its phases."""
        self._in_hand.committed(result, attempt)
        self._jobs.add(result.status, queue or self._queue)
        timings = result.timings
        for phase in PHASES:
            milliseconds = getattr(timings, f"{phase}_ms")
            if milliseconds is not None:
                self._phases.record(milliseconds / 1000, phase)

    def settled(self, delivery: Delivery, _settlement: Settlement, outcome: Outcome) -> None:
        """Count a settlement, and time the job whose result it follows."""
        self._settlements.add(outcome)
        work = self._in_hand.settled(delivery)
        if work and work.result:
            self._durations.record(now() - delivery.received_at, work.result.status)

    def attempt_lost(self, _delivery: Delivery, *, during_outage: bool) -> None:
        """Count it."""
        self._lost.add("true" if during_outage else "false")

    def lock_renewal(self, _delivery: Delivery, outcome: Renewal) -> None:
        """Count it."""
        self._renewals.add(outcome)

    def refused(self, resource: Resource) -> None:
        """Count it."""
        self._waits.add(resource)

    def called(self, service: Service, operation: str, result: str, seconds: float) -> None:
        """Count a call, and time it."""
        self._calls.add(service, operation, result)
        self._call_durations.record(seconds, service, operation, result)
