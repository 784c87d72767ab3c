"""The last jobs of a worker, and how fast they come."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.recent import KEPT, SHOWN, Phase, Rates, Recent
from worker.result import Producer, Result, Status, Timings

NO_TIMINGS = Timings()
AT = datetime(2025, 1, 1, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.seconds = 1000.5

    def __call__(self) -> float:
        return self.seconds


def end(
    recent: Recent, job_id: str = "j1", status: Status = "succeeded", timings: Timings = NO_TIMINGS
) -> None:
    result = Result(
        id=job_id,
        batch="b",
        status=status,
        verdict="accepted",
        timings=timings,
        worker=Producer(version="1", instance="here"),
        started_at=AT,
        finished_at=AT,
    )
    recent.committed(result, "attempt", "jobs")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def recent(clock: Clock) -> Recent:
    return Recent(clock)


def test_a_worker_without_jobs_has_none_and_no_rate(recent: Recent) -> None:
    assert recent.rates() == Rates(0, {}, 0.0, 0.0, (0,) * 60)
    assert (recent.jobs(), recent.phases()) == ((), {})


def test_a_job_is_told_with_the_phases_that_it_had(recent: Recent) -> None:
    end(recent, timings=Timings(queued_ms=3.14159, execute_ms=20))
    (job,) = recent.jobs()
    assert (job.id, job.batch, job.status, job.verdict, job.finished_at) == (
        "j1",
        "b",
        "succeeded",
        "accepted",
        AT,
    )
    assert job.phases_ms == {"queued": 3.1, "execute": 20}


def test_rates_are_of_whole_seconds_and_of_no_more_than_the_worker_runs(clock: Clock, recent: Recent) -> None:
    for _ in range(4):
        for _ in range(6):
            end(recent)
        clock.seconds += 1
    end(recent)
    assert (recent.rates().per_second_10s, recent.rates().per_second_60s) == (6, 6)
    clock.seconds += 26
    rates = recent.rates()
    assert (rates.per_second_10s, rates.per_second_60s) == (0, round(25 / 30, 2))
    assert rates.each_second[30:35] == (6, 6, 6, 6, 1)
    clock.seconds += 3600
    rates = recent.rates()
    assert (rates.per_second_60s, sum(rates.each_second), rates.total) == (0, 0, 25)


def test_jobs_are_counted_by_what_they_ended_in_the_most_frequent_first(recent: Recent) -> None:
    end(recent, status="failed")
    end(recent)
    end(recent)
    assert list(recent.rates().by_status.items()) == [("succeeded", 2), ("failed", 1)]


def test_phases_have_the_median_and_the_95th_of_a_hundred(recent: Recent) -> None:
    for number in range(1, 101):
        check = 7 if number > 99 else None
        end(recent, timings=Timings(execute_ms=number, check_ms=check))
    assert recent.phases() == {"execute": Phase(100, 50, 95), "check": Phase(1, 7, 7)}


def test_however_many_jobs_there_are_few_are_kept_and_the_latest_are_shown(recent: Recent) -> None:
    for number in range(2 * KEPT):
        end(recent, f"j{number}", timings=Timings(execute_ms=number))
    jobs = recent.jobs()
    assert [job.id for job in jobs] == [f"j{2 * KEPT - 1 - number}" for number in range(SHOWN)]
    assert recent.phases()["execute"].jobs == KEPT
    assert recent.rates().total == 2 * KEPT


@given(st.lists(st.tuples(st.floats(0, 200), st.integers(0, 5)), max_size=40))
def test_the_last_minute_has_each_job_that_ended_in_it_and_no_other(
    steps: list[tuple[float, int]],
) -> None:
    clock = Clock()
    recent, ends = Recent(clock), list[float]()
    for pause, jobs in steps:
        clock.seconds += pause
        for _ in range(jobs):
            end(recent)
            ends.append(clock.seconds)
    second = int(clock.seconds)
    expected = sum(second - 60 <= int(end) < second for end in ends)
    assert sum(recent.rates().each_second) == expected
