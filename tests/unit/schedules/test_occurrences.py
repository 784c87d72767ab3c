"""The times of schedules: what the walk over days gives is what a look at every second would give."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.cron import CronError, parse_cron
from worker.occurrences import Occurrences

SINCE = date(2025, 1, 1)
SPRING = {
    "Europe/Berlin": "2026-03-29",
    "America/New_York": "2026-03-08",
    "Australia/Lord_Howe": "2026-10-04",
}
AUTUMN = {
    "Europe/Berlin": "2026-10-25",
    "America/New_York": "2026-11-01",
    "Australia/Lord_Howe": "2026-04-05",
}
OTHERS = ("UTC", "America/Nuuk", "Africa/Casablanca", "Asia/Kolkata")  # Nuuk's clock changes at midnight


def times(expression: str, zone: str) -> Occurrences:
    return Occurrences(parse_cron(expression), ZoneInfo(zone), SINCE)


def on(day: str, expression: str, zone: str) -> list[str]:
    """The times of a day, as its clock shows them."""
    start = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(zone))
    end = start + timedelta(days=1)
    found = times(expression, zone).between(start.astimezone(UTC), end.astimezone(UTC))
    return [f"{moment.astimezone(ZoneInfo(zone)):%H:%M%z}" for moment in found]


@pytest.mark.parametrize(
    ("zone", "lost", "instead", "next_hour"),
    [
        ("Europe/Berlin", "30 2 * * *", "03:00+0200", "03:00+0200"),
        ("America/New_York", "30 2 * * *", "03:00-0400", "03:00-0400"),
        ("Australia/Lord_Howe", "15 2 * * *", "02:30+1100", "03:00+1100"),
    ],
)
def test_a_fixed_time_that_the_clock_leaves_out_comes_when_the_clock_goes_on(
    zone: str, lost: str, instead: str, next_hour: str
) -> None:
    assert on(SPRING[zone], lost, zone) == [instead]
    assert on(SPRING[zone], f"0 {lost}", zone) == [instead]
    hours = on(SPRING[zone], "0 1,2,3,4 * * *", zone)
    assert len(set(hours)) == len(hours) == (3 if next_hour == instead else 4)
    assert on(SPRING[zone], "0 * * * *", zone)[2] == next_hour
    assert len(on(SPRING[zone], "0 * * * *", zone)) == 23


@pytest.mark.parametrize(
    ("zone", "twice", "first", "quarters"),
    [
        ("Europe/Berlin", "30 2 * * *", "02:30+0200", 100),
        ("America/New_York", "30 1 * * *", "01:30-0400", 100),
        ("Australia/Lord_Howe", "45 1 * * *", "01:45+1100", 98),
    ],
)
def test_a_fixed_time_that_the_clock_shows_twice_comes_once_and_a_pace_is_kept(
    zone: str, twice: str, first: str, quarters: int
) -> None:
    assert on(AUTUMN[zone], twice, zone) == [first]
    assert on(AUTUMN[zone], f"0 {twice}", zone) == [first]
    assert len(on(AUTUMN[zone], "0,30 0-4 * * *", zone)) == 10
    assert len(on(AUTUMN[zone], "*/15 * * * *", zone)) == quarters
    start = datetime.fromisoformat(AUTUMN[zone]).replace(tzinfo=UTC) - timedelta(days=1)
    moments = list(islice(times("*/15 * * * *", zone).after(start), 400))
    assert {later - earlier for earlier, later in pairwise(moments)} == {timedelta(minutes=15)}


class Looked:
    """What the rule says, told of each minute; slow and plain."""

    def __init__(self, expression: str, zone: str, start: datetime, end: datetime) -> None:
        self.cron, self.clock = parse_cron(expression), ZoneInfo(zone)
        found = {
            moment
            for minute in range(int((end - start).total_seconds()) // 60)
            for moment in self._shown(start + timedelta(minutes=minute))
        }
        if self.cron.is_fixed:
            walls = (start.replace(tzinfo=None) + timedelta(minutes=minute) for minute in range(-900, 5300))
            found |= {moment for wall in walls for moment in self._moved(wall)}
        self.times = sorted(moment for moment in found if start <= moment < end)

    def _shown(self, moment: datetime) -> list[datetime]:
        wall = moment.astimezone(self.clock)
        if (self.cron.is_fixed and wall.fold) or not self._is_meant(wall):
            return []
        return [moment + timedelta(seconds=second) for second in self.cron.seconds]

    def _moved(self, wall: datetime) -> list[datetime]:
        """Those that the clock leaves out, a minute later until it shows them."""
        if not self._is_meant(wall) or self._is_shown(wall):
            return []
        while not self._is_shown(wall):
            wall += timedelta(minutes=1)
        moment = wall.replace(tzinfo=self.clock).astimezone(UTC)
        return [moment + timedelta(seconds=second) for second in self.cron.seconds]

    def _is_meant(self, wall: datetime) -> bool:
        return (
            wall.minute in self.cron.minutes
            and wall.hour in self.cron.hours
            and self.cron.matches(wall.date())
        )

    def _is_shown(self, wall: datetime) -> bool:
        there = wall.replace(tzinfo=self.clock).astimezone(UTC)
        return there.astimezone(self.clock).replace(tzinfo=None) == wall


FIXED = st.sampled_from(["0", "30", "15,45", "0-59/20", "59"])
HOURS = st.sampled_from(["*", "*/2", "2", "1,2,3", "0-3", "23,0", "22-23"])
MINUTES = st.one_of(FIXED, st.sampled_from(["*", "*/20"]))
DAYS = st.sampled_from(["* * *", "* * SUN", "1-8 * *", "29 3 *", "* * 6#1"])
CHANGES = st.sampled_from(
    [(zone, date.fromisoformat(day)) for found in (SPRING, AUTUMN) for zone, day in found.items()]
    + [("America/Nuuk", date(2026, 3, 28)), ("America/Nuuk", date(2026, 10, 24))]
    + [("Africa/Casablanca", date(2026, 2, 15)), ("UTC", date(2026, 2, 28))]
)


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(["", "0 ", "30 ", "*/20 "]), MINUTES, HOURS, DAYS, CHANGES)
def test_the_times_around_a_change_are_those_that_the_rule_says_of_each_minute(
    seconds: str, minutes: str, hours: str, days: str, change: tuple[str, date]
) -> None:
    expression = f"{seconds}{minutes} {hours} {days}"
    zone, day = change
    start = datetime.combine(day - timedelta(days=1), datetime.min.time(), UTC)
    end = start + timedelta(days=3)
    wanted = Looked(expression, zone, start, end).times
    found = times(expression, zone)
    assert list(found.between(start, end)) == wanted
    backwards = list(islice(found.before(end), len(wanted)))
    assert backwards == wanted[::-1]
    number = found.number(start - timedelta(seconds=1))
    assert [found.number(moment) for moment in wanted] == [number + n + 1 for n in range(len(wanted))]
    assert found.number(end - timedelta(seconds=1)) == number + len(wanted)


@settings(max_examples=100, deadline=None)
@given(MINUTES, HOURS, DAYS, st.sampled_from([*SPRING, *OTHERS]))
def test_where_no_clock_changes_the_times_are_those_of_the_library(
    minutes: str, hours: str, days: str, zone: str
) -> None:
    expression = f"{minutes} {hours} {days}"
    start = datetime(2025, 6, 10, tzinfo=UTC)  # two months without a change in any of these zones
    end = datetime(2025, 8, 10, tzinfo=UTC)
    theirs = []
    for moment in CronSim(expression, start.astimezone(ZoneInfo(zone))):
        if moment >= end:
            break
        theirs.append(moment.astimezone(UTC))
    assert list(times(expression, zone).between(start + timedelta(seconds=1), end)) == theirs


@settings(max_examples=50)
@given(MINUTES, HOURS, st.integers(0, 700 * 86_400), st.sampled_from([*SPRING, *OTHERS]))
def test_the_number_of_a_run_is_the_count_of_the_times_before_it(
    minutes: str, hours: str, seconds: int, zone: str
) -> None:
    found = times(f"{minutes} {hours} 1 * *", zone)
    moment = datetime(2025, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    later = next(found.after(moment))
    first = datetime(2024, 12, 30, tzinfo=UTC)
    assert found.number(later) == len(list(found.between(first, later))) + 1
    assert (
        found.number(moment)
        == found.number(later) - 1
        == times(f"{minutes} {hours} 1 * *", zone).number(moment)
    )


def test_nothing_is_planned_before_the_first_day() -> None:
    found = times("0 12 * * *", "UTC")
    first = datetime(2025, 1, 1, 12, tzinfo=UTC)
    assert next(found.after(datetime(2020, 1, 1, tzinfo=UTC))) == first
    assert list(found.before(first)) == []
    assert found.number(datetime(2020, 1, 1, tzinfo=UTC)) == 0
    assert found.number(first) == 1


def test_each_second_of_a_year_is_counted_without_being_looked_at() -> None:
    moment = datetime(2026, 11, 1, tzinfo=UTC)
    count = times("* * * * * *", "Europe/Berlin").number(moment)
    assert count == (moment - datetime(2024, 12, 31, 23, tzinfo=UTC)).total_seconds() + 1


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("0 0 30 2 *", "never fires"),
        ("0 0 31 4,6,9,11 *", "never fires"),
        ("0 0 31 4 */2", "never fires"),
        ("60 * * * *", "minute"),
        ("* 24 * * *", "hour"),
        ("* * 32 * *", "day-of-month"),
        ("* * * 13 *", "month"),
        ("* * * * 8", "day-of-week"),
        ("60 * * * * *", "second"),
        ("* * * *", "five fields"),
        ("* * * * * * *", "five fields"),
        ("", "five fields"),
        ("@reboot", "@daily"),
        ("*/0 * * * *", "minute"),
        ("5-1 * * * *", "minute"),
        ("* * * * MON#6", "day-of-week"),
        ("* " * 300, "five fields"),
        ("*/" + "9" * 150 + "x * * * *", "minute"),
        ("² * * * *", "minute"),
    ],
)
def test_an_expression_that_is_wrong_or_never_fires_is_refused(expression: str, reason: str) -> None:
    with pytest.raises(CronError, match=reason):
        parse_cron(expression)


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("@yearly", "0 0 1 1 *"),
        ("@annually", "0 0 1 1 *"),
        ("@monthly", "0 0 1 * *"),
        ("@Weekly", "0 0 * * 0"),
        (" @daily ", "0 0 * * *"),
        ("@midnight", "0 0 * * *"),
        ("@hourly", "0 * * * *"),
    ],
)
def test_names_stand_for_expressions(name: str, fields: str) -> None:
    start = datetime(2025, 3, 1, tzinfo=UTC)
    assert list(islice(times(name, "UTC").after(start), 5)) == list(
        islice(times(fields, "UTC").after(start), 5)
    )


@given(st.text(alphabet="0123456789*/,-#L@MONW? ", max_size=30))
def test_whatever_is_written_is_read_or_refused(text: str) -> None:
    try:
        cron = parse_cron(text)
    except CronError:
        return
    assert cron.times == len({cron.time(index) for index in range(cron.times)})


def test_a_leap_day_on_a_certain_weekday_is_waited_for() -> None:
    found = times("0 0 29 2 *", "UTC")
    assert [moment.year for moment in islice(found.after(datetime(2026, 1, 1, tzinfo=UTC)), 3)] == [
        2028,
        2032,
        2036,
    ]
    assert Counter(moment.month for moment in islice(found.after(datetime(2026, 1, 1, tzinfo=UTC)), 5)) == {
        2: 5
    }
