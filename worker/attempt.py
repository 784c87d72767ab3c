"""One delivery's work on one job, as far as its result is concerned."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from worker.endings import After
from worker.result import Producer, Result
from worker.version import __version__

if TYPE_CHECKING:
    from worker.destinations import Destination
    from worker.job import Carried
    from worker.result import Status
    from worker.settings import WorkerSettings
    from worker.steps import Step
    from worker.trace import Trace


@dataclass(frozen=True)
class Attempt:
    """One delivery's work on one job, as far as its result is concerned.

    Attributes:
        name: the attempt's own among all of the job's.
        carried: what the job's result takes over from it.
        number: 1 for the first execution.
        deliveries: how often the job's messages came.
        faults: what went wrong before.
        then: the job's steps; none of a job that is not valid.
        reply_to: who is to be told of its end; nobody of a job that is not valid.
        trace: its own part of its sender's trace.
    """

    name: str
    job_id: str
    batch: str
    carried: Carried
    number: int
    deliveries: int
    faults: tuple[str, ...]
    started_at: datetime
    then: tuple[Step, ...] = ()
    reply_to: tuple[Destination, ...] = ()
    trace: Trace | None = None

    @property
    def after(self) -> After:
        """What its end leads to."""
        return After(self.then, self.carried.trigger, self.reply_to, self.trace)

    def result(self, status: Status, settings: WorkerSettings, **fields: Any) -> Result:  # noqa: ANN401 - Result's own
        """The attempt's result, finished now."""
        return Result(
            id=self.job_id,
            batch=self.batch,
            status=status,
            attempts=self.number,
            deliveries=self.deliveries,
            faults=self.faults,
            worker=Producer(version=__version__, instance=settings.instance),
            started_at=self.started_at,
            finished_at=datetime.now(UTC),
            trigger=self.carried.trigger,
            trace=self.trace,
            metadata=self.carried.metadata,
            **fields,
        )
