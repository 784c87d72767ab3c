"""Cron expressions: which days and which times of day they mean. Zones are no concern of theirs.

cronsim reads the fields and says which days match. Its own walk over time is not used: across a change of the
clock it names times twice (``0 2,3 * * *``) or loses some (``*/15 5 * * *`` in Australia/Lord_Howe).
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from cronsim import CronSim, CronSimError

if TYPE_CHECKING:
    from collections.abc import Iterator

DAY_SECONDS = 86_400
MOST_CHARACTERS = 200
LONGEST_WAIT_DAYS = 40 * 366  # 29 February on a certain weekday comes each 28 years, or 40 across 2100
_ANY = datetime(2024, 1, 1, tzinfo=UTC)
_NAMED = {
    "@YEARLY": "0 0 1 1 *",
    "@ANNUALLY": "0 0 1 1 *",
    "@MONTHLY": "0 0 1 * *",
    "@WEEKLY": "0 0 * * 0",
    "@DAILY": "0 0 * * *",
    "@MIDNIGHT": "0 0 * * *",
    "@HOURLY": "0 * * * *",
}
_FIELDS = (5, 6)


class CronError(ValueError):
    """An expression that cannot be used, and why."""


@dataclass(frozen=True)
class Cron:
    """An expression; its times of day are the products of hours, minutes and seconds, by their order.

    Attributes:
        is_fixed: it names its times of day, rather than a pace at which to follow the clock: neither minute
            nor hour begin with a star.
    """

    hours: tuple[int, ...]
    minutes: tuple[int, ...]
    seconds: tuple[int, ...]
    is_fixed: bool
    _days: CronSim

    def matches(self, day: date) -> bool:
        """Whether it means times of this day."""
        return day.month in self._days.months and self._days.match_day(day)

    @cached_property
    def times(self) -> int:
        """How many times of day there are."""
        return len(self.hours) * len(self.minutes) * len(self.seconds)

    def time(self, index: int) -> int:
        """A time of day, in seconds since midnight by the clock on the wall."""
        rest, second = divmod(index, len(self.seconds))
        hour, minute = divmod(rest, len(self.minutes))
        return self.hours[hour] * 3600 + self.minutes[minute] * 60 + self.seconds[second]

    def times_before(self, seconds: int) -> int:
        """How many times of day come before one that is given in seconds since midnight."""
        parts = (
            (self.hours, seconds // 3600),
            (self.minutes, seconds // 60 % 60),
            (self.seconds, seconds % 60),
        )
        count, each = 0, self.times
        for values, wanted in parts:
            each //= len(values)
            place = bisect_left(values, wanted)
            count += place * each
            if place == len(values) or values[place] != wanted:
                break
        return count


def parse_cron(text: str) -> Cron:
    """Read an expression: five fields, six with the seconds first, or one of ``@daily`` and the like.

    Raises:
        CronError: it is none, or means no day at all.
    """
    expression = _NAMED.get(text.strip().upper(), text.strip().upper())
    fields = expression.split()
    if expression.startswith("@"):
        raise CronError(f"{text:.40} is not known; there are {', '.join(_NAMED).lower()}")
    if len(fields) not in _FIELDS or len(text) > MOST_CHARACTERS:
        raise CronError("an expression has five fields, or six with the seconds first")
    found = _parsed(fields)
    minute, hour = fields[-5], fields[-4]
    cron = Cron(
        tuple(sorted(found.hours)),
        tuple(sorted(found.minutes)),
        tuple(sorted(found.seconds)),
        not minute.startswith("*") and not hour.startswith("*"),
        found,
    )
    if not any(map(cron.matches, _days())):
        raise CronError("never fires: no day is meant")
    return cron


def _parsed(fields: list[str]) -> CronSim:
    try:
        return _read(fields)
    except CronError as error:
        of_day = "day-of-month" in str(error)
        if of_day and _is_readable([*fields[:-2], "*", fields[-1]]):  # it is the month that has no such day
            raise CronError("never fires: no day is meant") from None
        raise


def _read(fields: list[str]) -> CronSim:
    try:
        return CronSim(" ".join(fields), _ANY)
    except CronSimError as error:
        raise CronError(f"the field for the {str(error).removeprefix('Bad ')} is wrong") from None
    except (AssertionError, ValueError, TypeError):  # what it did not expect
        raise CronError("one of the fields is wrong") from None


def _is_readable(fields: list[str]) -> bool:
    try:
        _read(fields)
    except CronError:
        return False
    return True


def _days() -> Iterator[date]:
    first = _ANY.date()
    return (first + timedelta(days=days) for days in range(LONGEST_WAIT_DAYS))
