"""What a worker tells of its work while it goes on: who wants to know implements ``Observer``.

Observers are called in the path of jobs, between one await and the next: they count and note, and neither
wait nor do I/O.
"""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Literal, Protocol

import structlog

from worker.faults import CapacityFault
from worker.settlement import Complete, DeadLetter, HandBack, LetGo, Retry

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from types import TracebackType

    from worker.delivery import Delivery, Renewal
    from worker.result import Result
    from worker.settlement import Settlement
    from worker.trace import Trace

log = structlog.get_logger()
Outcome = Literal["completed", "dead_lettered", "rescheduled", "handed_back", "let_go", "uncertain"]
Resource = Literal["pool", "storage"]
Service = Literal["blob", "pool"]
OK = "ok"
_OUTCOMES: dict[type[Settlement], Outcome] = {
    Complete: "completed",
    DeadLetter: "dead_lettered",
    Retry: "rescheduled",
    HandBack: "handed_back",
    LetGo: "let_go",
}


class Begun(Protocol):
    """One delivery's work on one job, as far as known when it begins; see ``worker.attempt.Attempt``."""

    @property
    def name(self) -> str: ...  # noqa: D102 - the attempt says

    @property
    def batch(self) -> str: ...  # noqa: D102

    @property
    def job_id(self) -> str: ...  # noqa: D102

    @property
    def number(self) -> int: ...  # noqa: D102

    @property
    def started_at(self) -> datetime: ...  # noqa: D102

    @property
    def trace(self) -> Trace | None: ...  # noqa: D102


class Observer(Protocol):
    """Hears of a worker's jobs and of its calls to services.

    ``queue`` is a queue's name, or empty for the only one. What comes from a message is untrusted.
    """

    def began(self, delivery: Delivery, attempt: Begun) -> None:
        """A message's job is known and about to run, or to be given up; some are told of as both."""

    def committed(self, result: Result, attempt: str, queue: str) -> None:
        """A job has ended in this result, and nobody's result stood there; ``attempt`` is its attempt's name.

        Told too of jobs that no delivery of this worker was for: of dead letters, and of those that an event
        asked for and that cannot be made.
        """

    def settled(self, delivery: Delivery, settlement: Settlement, outcome: Outcome) -> None:
        """A message is out of this worker's hands: the last that is told of a delivery."""

    def attempt_lost(self, delivery: Delivery, *, during_outage: bool) -> None:
        """An execution came to nothing; in an outage that spends no attempt."""

    def lock_renewal(self, delivery: Delivery, outcome: Renewal) -> None:
        """The message's lock was renewed, or could not be and is tried again, or is lost."""

    def refused(self, resource: Resource) -> None:
        """A service has no capacity for a call now: a wait begins."""

    def called(self, service: Service, operation: str, result: str, seconds: float) -> None:
        """A call has ended, with ``ok`` or the name of the error's class."""


class Observers:
    """Tells several, or none. One that fails is logged, once; neither jobs nor the others suffer by it."""

    def __init__(self, *observers: Observer) -> None:
        self._observers = observers
        self._failed: set[int] = set()

    def began(self, delivery: Delivery, attempt: Begun) -> None:
        """Pass it on."""
        self._tell(lambda one: one.began(delivery, attempt))

    def committed(self, result: Result, attempt: str, queue: str) -> None:
        """Pass it on."""
        self._tell(lambda one: one.committed(result, attempt, queue))

    def settled(self, delivery: Delivery, settlement: Settlement, outcome: Outcome) -> None:
        """Pass it on."""
        self._tell(lambda one: one.settled(delivery, settlement, outcome))

    def attempt_lost(self, delivery: Delivery, *, during_outage: bool) -> None:
        """Pass it on."""
        self._tell(lambda one: one.attempt_lost(delivery, during_outage=during_outage))

    def lock_renewal(self, delivery: Delivery, outcome: Renewal) -> None:
        """Pass it on."""
        self._tell(lambda one: one.lock_renewal(delivery, outcome))

    def refused(self, resource: Resource) -> None:
        """Pass it on."""
        self._tell(lambda one: one.refused(resource))

    def called(self, service: Service, operation: str, result: str, seconds: float) -> None:
        """Pass it on."""
        self._tell(lambda one: one.called(service, operation, result, seconds))

    def _tell(self, tell: Callable[[Observer], None]) -> None:
        for number, observer in enumerate(self._observers):
            try:
                tell(observer)
            except Exception:  # whatever it is, it must not cost a job its result
                if number not in self._failed:
                    log.exception("observer_failed", observer=type(observer).__name__)
                self._failed.add(number)


SILENT = Observers()


class Call:
    """A call to a service, as a context: what it ended in and how long it took is told at its end.

    A reader that wants no more of an answer has had what it wanted.
    """

    def __init__(
        self, observer: Observer, service: Service, operation: str, resource: Resource | None = None
    ) -> None:
        self._observer, self._service, self._operation = observer, service, operation
        self._resource = resource

    def __enter__(self) -> None:
        self._began = perf_counter()

    def __exit__(
        self, kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        result = OK if kind is None or kind is GeneratorExit else kind.__name__
        self._observer.called(self._service, self._operation, result, perf_counter() - self._began)
        if self._resource and kind is CapacityFault:
            self._observer.refused(self._resource)


def outcome_of(settlement: Settlement) -> Outcome:
    """What a settlement comes to when it is carried out."""
    return _OUTCOMES[type(settlement)]
