"""Schedules as they are written: what is to be run when, and the file that says so."""

from __future__ import annotations

import hashlib
import json
from datetime import date
from functools import cached_property
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field

from worker.cron import parse_cron
from worker.job import Name  # noqa: TC001 - pydantic reads it when the model is made
from worker.model import Model
from worker.occurrences import Occurrences
from worker.trigger import Misfire, Overlap, WindowSeconds  # noqa: TC001 - pydantic reads them

MOST_SCHEDULES = 1000
MOST_JITTER_SECONDS = 3600
FIRST_DAY = "2025-01-01"
FIRST_YEAR, LAST_YEAR = 2015, 2100


def _check_cron(text: str) -> str:
    parse_cron(text)
    return text


def _check_zone(text: str) -> str:
    try:
        ZoneInfo(text)
    except (KeyError, ValueError, OSError):  # unknown, a path, a folder of zones
        raise ValueError(f"there is no time zone {text!r:.60}; write one like Europe/Berlin") from None
    return text


def _check_day(text: str) -> str:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise ValueError("must be a day like 2025-01-31, in quotes") from None
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise ValueError(f"must lie between {FIRST_YEAR} and {LAST_YEAR}")
    return text


class Schedule(Model):
    """One schedule: the job is a template without version, id and trigger.

    Attributes:
        jitter_seconds: how much later than planned a run may become due; always the same for the same run.
        misfire_window_seconds: how late a run may start.
        since: the first day, in the zone; runs are counted from there.
    """

    name: Name
    cron: Annotated[str, AfterValidator(_check_cron)]
    time_zone: Annotated[str, AfterValidator(_check_zone)] = "UTC"
    job: dict[str, Any]
    jitter_seconds: Annotated[int, Field(ge=0, le=MOST_JITTER_SECONDS)] = 0
    overlap: Overlap = "allow"
    misfire: Misfire = "run_once"
    misfire_window_seconds: WindowSeconds = 3600
    enabled: bool = True
    since: Annotated[str, AfterValidator(_check_day)] = FIRST_DAY

    @cached_property
    def zone(self) -> ZoneInfo:
        """Whose clock is meant."""
        return ZoneInfo(self.time_zone)

    @cached_property
    def times(self) -> Occurrences:
        """The planned times."""
        return Occurrences(parse_cron(self.cron), self.zone, date.fromisoformat(self.since))

    @cached_property
    def batch(self) -> str:
        """The batch of its jobs."""
        return str(self.job.get("batch", self.name))

    @cached_property
    def digest(self) -> str:
        """The definition in eight characters: messages of another one are taken back."""
        document = self.model_dump(exclude={"enabled"})
        return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()[:8]


class SchedulesFile(Model):
    """A file of schedules.

    Attributes:
        group: whose schedules these are; a group's messages that are not in its file are taken back.
        queue: the queue's name; that of the settings when None.
    """

    version: Literal[1]
    group: Name = "default"
    queue: Annotated[str, Field(min_length=1, max_length=260)] | None = None
    schedules: Annotated[tuple[Schedule, ...], Field(max_length=MOST_SCHEDULES)]

    def find(self, name: str) -> Schedule | None:
        """The schedule of that name."""
        return next((schedule for schedule in self.schedules if schedule.name == name), None)
