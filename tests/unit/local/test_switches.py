"""Switches that follow their file, and chance."""

import time
from pathlib import Path

import pytest

from worker.local.faults import BrokerFaults, FaultsError, PoolFaults
from worker.local.switches import FaultsFile, Switches


class Log:
    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, object]]] = []

    def __call__(self, event: str, /, **fields: object) -> None:
        self.events.append((event, fields))

    def names(self) -> list[str]:
        return [event for event, _ in self.events]


def following(file: Path, log: Log) -> Switches[PoolFaults]:
    switches = Switches(PoolFaults(), log)
    switches.follow(FaultsFile(file), lambda faults: faults.pool)
    return switches


def refreshed(switches: Switches[PoolFaults], log: Log, news: str) -> None:
    """Refresh as a service does, until the log has this event."""
    deadline = time.monotonic() + 5
    while news not in log.names() and time.monotonic() < deadline:
        switches.refresh()
        time.sleep(0.01)
    assert news in log.names()


def test_a_change_of_the_file_is_taken_over(tmp_path: Path) -> None:
    file, log = tmp_path / "faults.json", Log()
    file.write_text('{"pool": {"full_rate": 1}}')
    switches = following(file, log)
    assert switches.now == PoolFaults(full_rate=1)
    file.write_text('{"pool": {"down": true}}')
    refreshed(switches, log, "faults_changed")
    assert switches.now == PoolFaults(down=True)


def test_a_broken_file_changes_nothing_and_is_told_once(tmp_path: Path) -> None:
    file, log = tmp_path / "faults.json", Log()
    file.write_text('{"pool": {"full_rate": 1}}')
    switches = following(file, log)
    file.write_text('{"pool": {"full_rate": 2}}')
    refreshed(switches, log, "faults_refused")
    assert switches.now == PoolFaults(full_rate=1)
    assert "pool.full_rate" in str(log.events[0][1]["error"])
    file.write_text("{}")
    refreshed(switches, log, "faults_changed")
    assert log.names() == ["faults_refused", "faults_changed"]
    assert switches.now == PoolFaults()


def test_a_file_that_comes_later_counts_and_its_removal_ends_all(tmp_path: Path) -> None:
    file, log = tmp_path / "faults.json", Log()
    switches = following(file, log)
    assert switches.now == PoolFaults()
    file.write_text('{"pool": {"down": true}}')
    refreshed(switches, log, "faults_changed")
    assert switches.now == PoolFaults(down=True)
    file.unlink()
    log.events.clear()
    refreshed(switches, log, "faults_changed")
    assert switches.now == PoolFaults()


def test_a_file_that_cannot_be_used_at_first_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "faults.json"
    file.write_text('{"broker": {"hang": 1}}')
    with pytest.raises(FaultsError, match=r"broker\.hang"):
        FaultsFile(file)


def test_what_is_off_never_happens_and_what_is_certain_always_does() -> None:
    log = Log()
    switches = Switches(BrokerFaults(busy_rate=1.0), log)
    assert not any(switches.happens("refuse_renewal_rate") for _ in range(1000))
    assert all(switches.happens("busy_rate") for _ in range(1000))
    assert log.events == [("fault_injected", {"fault": "busy_rate"})] * 1000


def test_with_the_same_seed_the_same_happens(tmp_path: Path) -> None:
    file = tmp_path / "faults.json"
    file.write_text('{"seed": 4, "pool": {"error_rate": 0.5}}')
    first, second = following(file, Log()), following(file, Log())
    drawn = [first.happens("error_rate") for _ in range(200)]
    assert drawn == [second.happens("error_rate") for _ in range(200)]
    assert 60 < sum(drawn) < 140
