"""What a worker's last jobs ended in, and how fast they come: bounded, however many there are."""

from __future__ import annotations

import math
from collections import Counter, deque
from dataclasses import dataclass
from datetime import MAXYEAR, datetime
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator

from worker.clock import now
from worker.result import Timings, UtcTime

if TYPE_CHECKING:
    from collections.abc import Callable

    from worker.delivery import Delivery, Renewal
    from worker.observing import Begun, Outcome, Resource, Service
    from worker.result import Result
    from worker.settlement import Settlement


def _of_our_times(moment: datetime) -> datetime:
    """Times of a clock: those near the ends of the calendar are in no other zone, and cannot be shown."""
    if moment.tzinfo is None or not 1 < moment.year < MAXYEAR:
        raise ValueError("a time has a zone and lies within the calendar")
    return moment


Moment = Annotated[UtcTime, AfterValidator(_of_our_times)]
KEPT = 256  # jobs whose phases are known
SHOWN = 32
PHASES = tuple(name.removesuffix("_ms") for name in Timings.model_fields)
MINUTE, SHORT_SECONDS = 60, 10


@dataclass(frozen=True)
class Ended:
    """A job with a result; ``phases_ms`` are milliseconds by phase, of those that it had."""

    id: str
    batch: str
    status: str
    verdict: str | None
    phases_ms: dict[str, float]
    finished_at: Moment


@dataclass(frozen=True)
class Rates:
    """How many jobs ended.

    Attributes:
        total: since the worker was started.
        by_status: these, by what they ended in.
        per_second_10s: jobs a second in the last ten whole seconds, or as long as the worker runs.
        per_second_60s: the same of a minute.
        each_second: of the last minute, oldest first.
    """

    total: int
    by_status: dict[str, int]
    per_second_10s: float
    per_second_60s: float
    each_second: tuple[int, ...]


@dataclass(frozen=True)
class Phase:
    """How long a phase took, in milliseconds, in those of the recent jobs that had it."""

    jobs: int
    p50_ms: float
    p95_ms: float


class Recent:
    """The last jobs of one worker, and a minute's counts, by whole seconds of the clock: an ``Observer``."""

    def __init__(self, clock: Callable[[], float] = now) -> None:
        self._clock = clock
        self._jobs: deque[Ended] = deque(maxlen=KEPT)
        self._counts: Counter[str] = Counter()
        self._seconds: deque[int] = deque([0] * (MINUTE + 1), maxlen=MINUTE + 1)  # the last is going on
        self._began = self._second = math.floor(clock())

    def committed(self, result: Result, _attempt: str, _queue: str) -> None:
        """A job has ended in this result."""
        self._turn()
        self._seconds[-1] += 1
        self._counts[result.status] += 1
        timings = result.timings.model_dump(exclude_none=True)
        phases = {name.removesuffix("_ms"): round(value, 1) for name, value in timings.items()}
        self._jobs.append(
            Ended(result.id, result.batch, result.status, result.verdict, phases, result.finished_at)
        )

    def began(self, delivery: Delivery, attempt: Begun) -> None:
        """Nothing is noted of it."""

    def settled(self, delivery: Delivery, settlement: Settlement, outcome: Outcome) -> None:
        """Nothing is noted of it."""

    def attempt_lost(self, delivery: Delivery, *, during_outage: bool) -> None:
        """Nothing is noted of it."""

    def lock_renewal(self, delivery: Delivery, outcome: Renewal) -> None:
        """Nothing is noted of it."""

    def refused(self, resource: Resource) -> None:
        """Nothing is noted of it."""

    def called(self, service: Service, operation: str, result: str, seconds: float) -> None:
        """Nothing is noted of it."""

    def jobs(self) -> tuple[Ended, ...]:
        """The last jobs, the latest first."""
        return tuple(self._jobs)[::-1][:SHOWN]

    def rates(self) -> Rates:
        """How many ended, and when."""
        self._turn()
        each_second = tuple(self._seconds)[:-1]
        return Rates(
            total=self._counts.total(),
            by_status=dict(self._counts.most_common()),
            per_second_10s=self._rate(each_second[-SHORT_SECONDS:]),
            per_second_60s=self._rate(each_second),
            each_second=each_second,
        )

    def phases(self) -> dict[str, Phase]:
        """The phases of the jobs that are kept, in the order of the result's timings."""
        taken: dict[str, list[float]] = {}
        for job in self._jobs:
            for name, value in job.phases_ms.items():
                taken.setdefault(name, []).append(value)
        return {name: Phase(len(taken[name]), *_percentiles(taken[name])) for name in PHASES if name in taken}

    def _turn(self) -> None:
        """Begin the second that it is, with none for those in which nothing was asked."""
        second = math.floor(self._clock())
        self._seconds.extend([0] * min(second - self._second, MINUTE + 1))
        self._second = second

    def _rate(self, counts: tuple[int, ...]) -> float:
        seconds = max(1, min(len(counts), self._second - self._began))
        return round(sum(counts) / seconds, 2)


def _percentiles(values: list[float]) -> tuple[float, float]:
    """The median and the 95th of a hundred, by nearest rank."""
    ranked = sorted(values)
    return ranked[math.ceil(len(ranked) * 0.5) - 1], ranked[math.ceil(len(ranked) * 0.95) - 1]
