"""Locks are judged rightly whatever the wall clock says; a skewed one is told of once."""

from datetime import UTC, datetime, timedelta

import pytest
from structlog.typing import EventDict

from worker.lock_clock import LockClock

START = datetime(2026, 3, 1, 12, tzinfo=UTC)


def seconds(clock: LockClock, lock: float, *, ahead: float = 0, waited: float = 0, lag: float = 0) -> float:
    """What is assumed of a lock by a machine whose clock is ahead of the service's.

    Args:
        clock: what judges.
        lock: the lock's length.
        ahead: by how much this machine's clock is fast.
        waited: how long the message was in the queue.
        lag: time since the lock was acquired.
    """
    wall = START + timedelta(seconds=ahead + lag)
    return clock.seconds(START + timedelta(seconds=lock), START - timedelta(seconds=waited), wall)


def events(quiet: list[EventDict]) -> list[str]:
    return [event["event"] for event in quiet]


@pytest.mark.parametrize("lock", [3, 60, 300])
def test_a_lock_is_known_when_a_message_is_taken_as_soon_as_it_comes(
    quiet: list[EventDict], lock: float
) -> None:
    clock = LockClock()
    assert seconds(clock, lock) == lock
    assert seconds(clock, lock, waited=5000) == lock
    assert events(quiet) == []


def test_what_has_passed_since_the_lock_was_acquired_is_not_counted(quiet: list[EventDict]) -> None:
    clock = LockClock()
    assert seconds(clock, 60, lag=2) == 58
    assert events(quiet) == []


def test_no_more_than_a_minute_is_assumed_of_messages_that_have_waited() -> None:
    assert seconds(LockClock(), 300, waited=900) == 60
    assert seconds(LockClock(), 30, waited=900) == 30


@pytest.mark.parametrize("ahead", [-7200, -600, -120, -45, -10, 0, 10, 45, 120, 600, 7200])
@pytest.mark.parametrize("waited", [0, 1, 900])
@pytest.mark.parametrize("lock", [30, 60, 300])
def test_a_first_renewal_comes_in_time_however_the_clock_is_skewed(
    lock: float, waited: float, ahead: float
) -> None:
    clock = LockClock()
    for _ in range(2):
        assumed = seconds(clock, lock, ahead=ahead, waited=waited)
        assert assumed / 3 <= min(20.0, lock * 2 / 3) or assumed == lock
        assert assumed >= min(lock, 15) or ahead > 0


@pytest.mark.parametrize("ahead", [-600, -120, 120, 600])
def test_a_skewed_clock_is_told_of_once_and_so_is_its_return(quiet: list[EventDict], ahead: float) -> None:
    clock = LockClock()
    for _ in range(5):
        seconds(clock, 60, ahead=ahead)
    assert events(quiet) == ["clock_skewed"]
    for _ in range(5):
        seconds(clock, 60)
    assert events(quiet) == ["clock_skewed", "clock_agreed"]
    seconds(clock, 60, ahead=ahead)
    assert events(quiet) == ["clock_skewed", "clock_agreed", "clock_skewed"]


@pytest.mark.parametrize("ahead", [-7200, -120, 120, 7200])
def test_a_clock_that_is_set_during_the_work_changes_nothing_of_a_known_lock(ahead: float) -> None:
    clock = LockClock()
    assert seconds(clock, 60) == 60
    assert 30 <= seconds(clock, 60, ahead=ahead, waited=400) <= 60


def test_a_slow_clock_is_noticed_only_by_messages_that_have_not_waited_longer(
    quiet: list[EventDict],
) -> None:
    clock = LockClock()
    assert seconds(clock, 60, ahead=-120, waited=900) == 60
    assert events(quiet) == []
    assert seconds(clock, 60, ahead=-120, waited=10) == 60
    assert events(quiet) == ["clock_skewed"]


def test_messages_without_the_services_times_get_a_cautious_lock(quiet: list[EventDict]) -> None:
    clock = LockClock()
    assert clock.seconds(None, None, START) == 30
    assert clock.seconds(START + timedelta(seconds=45), None, START) == 45
    assert clock.seconds(START + timedelta(seconds=299), None, START) == 60
    assert clock.seconds(START + timedelta(seconds=45), START + timedelta(hours=1), START) == 45
    assert events(quiet) == ["clock_skewed", "clock_agreed"]
