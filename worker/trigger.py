"""What made a job, other than somebody who submitted it: a schedule, an event, or a step after another job.

Such jobs are made again where it is not known whether they were made: before one runs, its result is looked
for, on the first delivery as well.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from worker.instants import check_instant
from worker.model import Model
from worker.names import NAME

MOST_DEPTH = 64
Instant = Annotated[str, AfterValidator(check_instant)]
Overlap = Literal["allow", "skip", "queue", "replace"]
Misfire = Literal["run_once", "skip"]
WindowSeconds = Annotated[int, Field(ge=1, le=30 * 86_400)]


class Scheduled(Model):
    """Which run of which schedule a job is; times are as in RFC 3339, in UTC.

    Attributes:
        due_at: the planned time and its jitter: when the job was to become visible.
        run: the number of the run, from 1; 0 for one that was started by hand.
        misfire_window_seconds: how late it may start.
        next_at: the schedule's next planned time.
        manual: it was not the schedule's own time that made it.
    """

    name: Annotated[str, Field(pattern=NAME)]
    planned_at: Instant
    due_at: Instant
    run: Annotated[int, Field(ge=0)]
    overlap: Overlap = "allow"
    misfire: Misfire = "run_once"
    misfire_window_seconds: WindowSeconds = 3600
    next_at: Instant | None = None
    manual: Literal["trigger", "backfill"] | None = None


class Trigger(Model):
    """Where a job comes from; carried by the job and by its result.

    ``depth`` counts the jobs and events before it in its chain. It bounds what would not end.
    """

    depth: Annotated[int, Field(ge=0, le=MOST_DEPTH)] = 0
    schedule: Scheduled | None = None
