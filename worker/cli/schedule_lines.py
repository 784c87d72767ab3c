"""What the schedule commands show, for people and for programs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any

from worker.cli.moments import shown
from worker.instants import read, written
from worker.planned import Planned

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from worker.result import Result
    from worker.schedule import Schedule, SchedulesFile
    from worker.supplying import Results, Supplied

LOOKED_AT = 20  # runs back from now, for one that has a result


@dataclass(frozen=True)
class Row:
    """What is known of a schedule's last run that has a result, and its next time."""

    schedule: Schedule
    planned_at: datetime | None
    result: Result | None
    next_at: datetime | None

    @property
    def late_seconds(self) -> float | None:
        """From when the run was due, its jitter counted, to when a worker took it."""
        if not self.result or not self.result.trigger or not self.result.trigger.schedule:
            return None
        due_at = read(self.result.trigger.schedule.due_at)
        return round((self.result.started_at - due_at).total_seconds(), 3)

    def document(self) -> dict[str, Any]:
        """For programs."""
        result = self.result
        last = result and {
            "id": result.id,
            "batch": result.batch,
            "planned_at": self.planned_at and written(self.planned_at),
            "status": result.status,
            "error": result.error.code if result.error else None,
            "started_at": written(result.started_at),
            "finished_at": written(result.finished_at),
            "late_seconds": self.late_seconds,
        }
        next_at = written(self.next_at) if self.next_at else None
        return {
            "name": self.schedule.name,
            "enabled": self.schedule.enabled,
            "last": last,
            "next_at": next_at,
        }


async def row(schedule: Schedule, results: Results, now: datetime) -> Row:
    """Look for the last run that has a result, among the last few planned times."""
    next_at = next(schedule.times.after(now), None) if schedule.enabled else None
    for moment in islice(schedule.times.before(now), LOOKED_AT):
        if result := await results.of(Planned(schedule, moment)):
            return Row(schedule, moment, result, next_at)
    return Row(schedule, None, None, next_at)


def list_table(rows: Sequence[Row]) -> Iterator[str]:
    """A line a schedule, under headings."""
    width = max([len("SCHEDULE"), *(len(each.schedule.name) for each in rows)])
    yield f"{'SCHEDULE':<{width}}  {'LAST RUN':<20}  {'STATUS':<21}  {'LATE':>9}  NEXT"
    for each in rows:
        status = each.result.status if each.result else "-"
        late = "-" if each.late_seconds is None else f"{each.late_seconds:.1f} s"
        following = shown(each.next_at) if each.schedule.enabled else "not enabled"
        name = f"{each.schedule.name:<{width}}"
        yield f"{name}  {shown(each.planned_at):<20}  {status:<21}  {late:>9}  {following}"


def check_table(file: SchedulesFile, now: datetime, count: int) -> Iterator[str]:
    """The next times of each schedule, in its zone and in UTC."""
    for schedule in file.schedules:
        note = "" if schedule.enabled else "  (not enabled)"
        yield f"{schedule.name}  {schedule.cron}  {schedule.time_zone}{note}"
        for run in _next(schedule, now, count):
            local = run.planned_at.astimezone(schedule.zone)
            yield (
                f"  {local:%a %Y-%m-%d %H:%M:%S} {local:%Z}".ljust(34)
                + f"{shown(run.planned_at)}  run {run.run}"
            )


def check_document(file: SchedulesFile, now: datetime, count: int) -> dict[str, Any]:
    """The same for programs."""
    return {
        "group": file.group,
        "queue": file.queue,
        "schedules": [
            {
                "name": schedule.name,
                "cron": schedule.cron,
                "time_zone": schedule.time_zone,
                "enabled": schedule.enabled,
                "next": [
                    {
                        "planned_at": written(run.planned_at),
                        "local": run.planned_at.astimezone(schedule.zone).isoformat(),
                        "due_at": written(run.due_at),
                        "run": run.run,
                    }
                    for run in _next(schedule, now, count)
                ],
            }
            for schedule in file.schedules
        ],
    }


def supplied(done: Supplied) -> Iterator[str]:
    """What a sync has done, or would do: a line a message."""
    for message in done.cancelled:
        yield f"cancel  {message.message_id}"
    parts = (("late", done.late), ("skip", done.skipped), ("send", done.sent), ("lost", done.lost))
    for word, runs in parts:
        yield from (f"{word:<6}  {run.batch}/{run.job_id}  {written(run.due_at)}" for run in runs)


def _next(schedule: Schedule, now: datetime, count: int) -> list[Planned]:
    just_before = now - timedelta(microseconds=1)
    return [Planned(schedule, moment) for moment in islice(schedule.times.after(just_before), count)]
