"""What made a job, other than somebody who submitted it: a schedule, an event, or a step after another job.

Such jobs are made again where it is not known whether they were made: before one runs, its result is looked
for, on the first delivery as well.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from worker.instants import check_instant
from worker.model import Model
from worker.names import NAME, check_name

MOST_DEPTH = 64
MOST_WIDTH = 10_000
Reference = Annotated[str, Field(pattern=f"{NAME[:-1]}/{NAME[1:]}"), AfterValidator(check_name)]


def _not_join(name: str) -> str:
    if name == "join":
        raise ValueError("must not be 'join': the job that joins a fan-out is called so")
    return name


StepName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,62}$"), AfterValidator(_not_join)]


class Refusal(Model):
    """Why a job that was made cannot run: it ends as ``rejected``, so that there is a result that says so."""

    code: Annotated[str, Field(min_length=1, max_length=100)]
    message: Annotated[str, Field(max_length=2000)]
    field: Annotated[str, Field(max_length=500)] | None = None


class StepTrigger(Model):
    """The step that made a job.

    ``parent`` is the job that the step followed and ``root`` the first of the chain, both ``batch/id``.
    ``index`` and ``of`` number the jobs of a fan-out; ``fan_in`` names its record beside the parent's result,
    where there is a job that waits for all of them.
    """

    parent: Reference
    root: Reference
    step: StepName
    index: Annotated[int, Field(ge=0, lt=MOST_WIDTH)] | None = None
    of: Annotated[int, Field(ge=1, le=MOST_WIDTH)] | None = None
    fan_in: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,100}$")] | None = None


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


Told = Annotated[str, Field(max_length=2048)]


class EventTrigger(Model):
    """The event a job was made of, and the name of the route by which."""

    id: Told
    source: Told
    type: Told
    route: Told


class Trigger(Model):
    """Where a job comes from; carried by the job and by its result.

    ``depth`` counts the jobs and events before it in its chain. It bounds what would not end.
    """

    event: EventTrigger | None = None
    depth: Annotated[int, Field(ge=0, le=MOST_DEPTH)] = 0
    step: StepTrigger | None = None
    refused: Refusal | None = None
    schedule: Scheduled | None = None
