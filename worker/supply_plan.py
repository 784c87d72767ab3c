"""What the queue should hold of a file's schedules, and what is to be done about it. No clock, no I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from itertools import islice, takewhile
from typing import TYPE_CHECKING

from worker.planned import GROUP, PLANNED_AT, SCHEDULE, Planned

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from worker.schedule import Schedule, SchedulesFile
    from worker.seen import Seen

MOST_AHEAD = 10_000  # runs of one schedule that are sent at a time
Run = tuple[str, str]  # the schedule's name and the planned time, as in the message's properties


@dataclass(frozen=True)
class Plan:
    """What is to be done.

    Attributes:
        cancel: scheduled messages of this group that nobody wants any more, or that are there twice, since
            the queue detects no duplicates.
        send: runs to come that are not in the queue, the next one first.
        past: of each schedule the last run that was due, if it is not in the queue and may still start.
    """

    cancel: list[Seen] = field(default_factory=list)
    send: list[Planned] = field(default_factory=list)
    past: list[Planned] = field(default_factory=list)


def plan(file: SchedulesFile, seen: Sequence[Seen], now: datetime, horizon: timedelta) -> Plan:
    """What is to be done so that the queue holds what becomes due before the horizon."""
    made = Plan(cancel=[message for message in seen if is_unwanted(file, message)])
    made.cancel.extend(_surplus(message for message in seen if not is_unwanted(file, message)))
    ids, runs = {message_id(message) for message in seen}, {run_of(message) for message in seen}
    for schedule in file.schedules:
        if schedule.enabled:
            made.send.extend(run for run in upcoming(schedule, now, horizon) if run.message_id not in ids)
            made.past.extend(run for run in last_due(schedule, now) if run.key not in runs)
    made.send.sort(key=lambda run: run.due_at)
    return made


def is_unwanted(file: SchedulesFile, message: Seen) -> bool:
    """Whether a message is to be taken back: one of this group that its file would not have sent.

    A copy by which a worker tries a job again has begun, and is left alone.
    """
    if message.state != "scheduled" or message.history.copies or message.properties.get(GROUP) != file.group:
        return False
    schedule = file.find(message.properties.get(SCHEDULE, ""))
    return not (schedule and schedule.enabled and message_id(message).endswith(f"/{schedule.digest}"))


def _surplus(seen: Iterable[Seen]) -> Iterator[Seen]:
    """What is scheduled twice: all schedulers leave the same one."""
    kept: set[str] = set()
    for message in sorted(seen, key=lambda message: message.sequence_number):
        if message.state == "scheduled" and not message.history.copies:
            if message_id(message) in kept:
                yield message
            kept.add(message_id(message))


def upcoming(schedule: Schedule, now: datetime, horizon: timedelta) -> Iterator[Planned]:
    """The runs that become due after now and before the horizon."""
    start = now - timedelta(seconds=schedule.jitter_seconds)
    planned = (Planned(schedule, moment) for moment in schedule.times.after(start))
    near = takewhile(lambda run: run.planned_at < now + horizon, planned)
    return islice((run for run in near if now < run.due_at < now + horizon), MOST_AHEAD)


def last_due(schedule: Schedule, now: datetime) -> Iterator[Planned]:
    """The last run that was due, if there is one that may still start."""
    window = timedelta(seconds=schedule.misfire_window_seconds)
    runs = (Planned(schedule, moment) for moment in schedule.times.before(now + timedelta.resolution))
    recent = takewhile(lambda run: run.planned_at > now - window, runs)
    return islice((run for run in recent if now - window < run.due_at <= now), 1)


def run_of(message: Seen) -> Run:
    """The run of a message; that of no schedule has empty names."""
    return message.properties.get(SCHEDULE, ""), message.properties.get(PLANNED_AT, "")


def message_id(message: Seen) -> str:
    """The id as it was meant, without what was appended when the queue had swallowed it."""
    return message.message_id.partition("~")[0]


def missing(runs: Iterable[Planned], seen: Iterable[Seen], after: datetime) -> list[Planned]:
    """Those due after a moment that are not in the queue."""
    found = {message_id(message) for message in seen}
    return [run for run in runs if run.due_at > after and run.message_id not in found]
