"""What a running worker has in hand at one moment, for people and for metrics."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - pydantic reads it when the status is made
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from worker.intake import Intake
    from worker.permits import Permits
    from worker.session_leases import SessionLeases
    from worker.vitals import Vitals


@dataclass(frozen=True)
class SlotGauges:
    """The slots of the jobs: all that there are, and those with a message in hand."""

    open: int
    busy: int


@dataclass(frozen=True)
class PermitGauges:
    """Session permits.

    Attributes:
        held: this worker's, free or in use.
        limit: how many may be in use; less than are held after the pool was full.
        in_use: how many are.
        waiting: how many jobs wait for one.
    """

    held: int
    limit: int
    in_use: int
    waiting: int


@dataclass(frozen=True)
class SessionGauges:
    """The sessions that the pool may have allocated for this worker.

    Attributes:
        allocated: all of them.
        busy: in the hands of jobs.
        kept: for reuse.
        quarantined: their deletion is not confirmed, and their permits stay out until it is.
    """

    allocated: int
    busy: int
    kept: int
    quarantined: int


@dataclass(frozen=True)
class Gauges:
    """A worker at one moment.

    Attributes:
        breakers: whether each is open, by its part.
        ready: whether the worker is to be counted on.
        reasons: why it is not.
    """

    slots: SlotGauges
    permits: PermitGauges
    sessions: SessionGauges
    breakers: Mapping[str, bool]
    ready: bool
    reasons: tuple[str, ...]


class Opened(Protocol):
    """What has the slots; see ``worker.lifecycle.Worker``."""

    @property
    def intakes(self) -> Sequence[Intake]: ...  # noqa: D102 - the class says


@dataclass
class LiveParts:
    """The parts of a worker that gauges are read from; those that are opened later come in then."""

    vitals: Vitals
    permits: Permits
    leases: SessionLeases | None = None
    worker: Opened | None = None

    def read(self) -> Gauges:
        """The gauges as of now; what is not there yet counts for nothing."""
        intakes, reasons = self.worker.intakes if self.worker else (), self.vitals.ready()
        jobs = intakes[0] if intakes else None
        breakers = [breaker for intake in intakes for breaker in (intake.queue, intake.services)]
        permits = self.permits
        return Gauges(
            slots=SlotGauges(jobs.open, jobs.busy) if jobs else SlotGauges(0, 0),
            permits=PermitGauges(permits.held, permits.limit, permits.in_use, permits.in_line),
            sessions=_sessions(permits.kept, self.leases),
            breakers={breaker.part: not breaker.is_closed for breaker in breakers},
            ready=not reasons,
            reasons=tuple(reasons),
        )


def _sessions(kept: int, leases: SessionLeases | None) -> SessionGauges:
    busy, quarantined = (leases.busy, leases.unconfirmed) if leases else (0, 0)
    return SessionGauges(busy + kept + quarantined, busy, kept, quarantined)
