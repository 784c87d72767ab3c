"""The times of a schedule: a cron expression in a zone, from a day on. Nothing is known but these three.

Where the clock is put forward or back the rule is that of Debian's cron. An expression with fixed times of
day (``30 2 * * *``) has each once: one that the clock leaves out comes when the clock goes on, one that it
shows twice counts the first time. Any other follows the clock: what it leaves out is left out, what it shows
twice comes twice, so that ``*/15 * * * *`` keeps its pace.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import takewhile
from typing import TYPE_CHECKING, overload

from worker.cron import DAY_SECONDS, LONGEST_WAIT_DAYS

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from worker.cron import Cron

_FARTHEST = timedelta(hours=15)  # a zone's from UTC, and somewhat more
_DAY = timedelta(days=1)
LAST_YEAR = 9990


class Occurrences:
    """The planned times of a schedule, in UTC and in their order.

    Args:
        cron: which days, and which times of them.
        zone: whose clock is meant.
        since: the first day, in the zone; there is no time before it.
    """

    def __init__(self, cron: Cron, zone: ZoneInfo, since: date) -> None:
        self._cron, self._zone, self._since = cron, zone, since
        self._counted = (since, 0)  # up to that day, without it

    def after(self, moment: datetime) -> Iterator[datetime]:
        """Those later than a moment, the next one first; without an end."""
        day = max(self._day_of(moment), self._since)
        last = min(day.year + LONGEST_WAIT_DAYS // 365, LAST_YEAR)
        while day.year <= last:
            times = self._times(day)
            for index in range(bisect_right(times, moment), len(times)):
                yield times[index]
                last = min(day.year + LONGEST_WAIT_DAYS // 365, LAST_YEAR)
            day += _DAY

    def before(self, moment: datetime) -> Iterator[datetime]:
        """Those earlier than a moment, the last one first."""
        day = self._day_of(moment)
        while day >= self._since:
            times = self._times(day)
            for index in reversed(range(bisect_left(times, moment))):
                yield times[index]
            day -= _DAY

    def between(self, start: datetime, end: datetime) -> Iterator[datetime]:
        """Those from ``start`` on and before ``end``."""
        just_before = start - timedelta(microseconds=1)
        return takewhile(lambda moment: moment < end, self.after(just_before))

    def number(self, moment: datetime) -> int:
        """How many there are up to a moment, with itself: the number of a run that is planned then."""
        day = self._day_of(moment)
        if day < self._since:
            return 0
        start, count = self._counted if self._counted[0] <= day else (self._since, 0)
        while start < day:
            count += len(self._times(start))
            start += _DAY
        self._counted = (day, count)
        return count + bisect_right(self._times(day), moment)

    def _day_of(self, moment: datetime) -> date:
        return moment.astimezone(self._zone).date()

    def _times(self, day: date) -> Sequence[datetime]:
        """The times of a day of the zone."""
        start = datetime.combine(day, time(), UTC) - _FARTHEST
        change = _change(self._zone, start, start + 2 * _FARTHEST + _DAY)
        if change is not None:
            return _Joined(list(self._parts(day, change)))
        return self._part(day, _offset(self._zone, start), 0, DAY_SECONDS)

    def _parts(self, day: date, change: _Change) -> Iterator[Sequence[datetime]]:
        """Before the change and after it, and what is made up for between the two."""
        resumed = change.at + change.after
        first, second = change.at + change.before, resumed
        if self._cron.is_fixed:
            second = max(first, second)  # what the clock shows twice counts once
        yield self._part(day, change.before, 0, _seconds_into(day, first))
        if self._cron.is_fixed and first < resumed and resumed.date() == day:
            yield self._made_up(change)
        yield self._part(day, change.after, _seconds_into(day, second), DAY_SECONDS)

    def _made_up(self, change: _Change) -> Sequence[datetime]:
        """In place of all that the clock leaves out, when it goes on; unless it is time then anyway."""
        lost, resumed = change.at + change.before, change.at + change.after
        if self._means(resumed, resumed + timedelta(minutes=1)) or not self._means(lost, resumed):
            return ()
        return [change.at + timedelta(seconds=second) for second in self._cron.seconds]

    def _means(self, start: datetime, end: datetime) -> bool:
        """Whether a time is meant that the clock shows, or would show, from ``start`` to before ``end``."""
        days = {start.date(), end.date()}
        return any(len(self._part(day, timedelta(), *_within(day, start, end))) for day in days)

    def _part(self, day: date, offset: timedelta, start: int, end: int) -> Sequence[datetime]:
        """The times of a day from a second to before another, by a clock that is so far from UTC."""
        if start >= end or not self._cron.matches(day):
            return ()
        midnight = datetime.combine(day, time(), UTC) - offset
        times_before = self._cron.times_before
        return _Part(self._cron, midnight, range(times_before(start), times_before(end)))


@dataclass(frozen=True)
class _Change:
    """A change of a zone's clock, and how far it is from UTC before and after."""

    at: datetime
    before: timedelta
    after: timedelta


@dataclass(frozen=True)
class _Part(Sequence[datetime]):
    """Times of a day that are not made before they are asked for: there may be 86,400."""

    cron: Cron
    midnight: datetime
    indexes: range

    def __len__(self) -> int:
        return len(self.indexes)

    @overload
    def __getitem__(self, index: int) -> datetime: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[datetime]: ...
    def __getitem__(self, index: int | slice) -> datetime | Sequence[datetime]:
        if isinstance(index, slice):
            return _Part(self.cron, self.midnight, self.indexes[index])
        return self.midnight + timedelta(seconds=self.cron.time(self.indexes[index]))


@dataclass(frozen=True)
class _Joined(Sequence[datetime]):
    """Parts one after the other."""

    parts: list[Sequence[datetime]]

    def __len__(self) -> int:
        return sum(map(len, self.parts))

    @overload
    def __getitem__(self, index: int) -> datetime: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[datetime]: ...
    def __getitem__(self, index: int | slice) -> datetime | Sequence[datetime]:
        if isinstance(index, slice):
            return [self[each] for each in range(*index.indices(len(self)))]
        for part in self.parts:
            if index < len(part):
                return part[index]
            index -= len(part)
        raise IndexError(index)


def _change(zone: ZoneInfo, start: datetime, end: datetime) -> _Change | None:
    """The change of a zone's clock in a short time; two changes that undo each other are none."""
    before, after = _offset(zone, start), _offset(zone, end)
    if before == after:
        return None
    first, last = int(start.timestamp()), int(end.timestamp())
    at = first + bisect_left(range(first, last), 1, key=lambda second: _is_other(zone, second, before))
    return _Change(datetime.fromtimestamp(at, UTC), before, after)


def _is_other(zone: ZoneInfo, second: int, offset: timedelta) -> bool:
    return _offset(zone, datetime.fromtimestamp(second, UTC)) != offset


def _offset(zone: ZoneInfo, moment: datetime) -> timedelta:
    return moment.astimezone(zone).utcoffset() or timedelta()


def _within(day: date, start: datetime, end: datetime) -> tuple[int, int]:
    return _seconds_into(day, start), _seconds_into(day, end)


def _seconds_into(day: date, clock: datetime) -> int:
    """How far into a day a clock is, in seconds; 0 before the day, and all of it afterwards."""
    passed = int((clock - datetime.combine(day, time(), UTC)).total_seconds())
    return min(max(passed, 0), DAY_SECONDS)
