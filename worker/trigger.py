"""What made a job, other than somebody who submitted it: a schedule, an event, or a step after another job.

Such jobs are made again where it is not known whether they were made: before one runs, its result is looked
for, on the first delivery as well.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from worker.model import Model

MOST_DEPTH = 64


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
