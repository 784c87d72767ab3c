"""The loop of a scheduler, in virtual time: hours of it, a file that changes, a queue that fails."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.batch.fakes import MemoryBlobs
from tests.unit.schedules.fakes import Clock, ScheduledQueue, supply
from worker.clock import now
from worker.faults import ConfigurationFault, InfrastructureFault, SchedulesError
from worker.scheduler import WatchedFile, keep_supplied

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from structlog.typing import EventDict

    from worker.messages import Outgoing

HORIZON = timedelta(minutes=5)
pytestmark = pytest.mark.usefixtures("alone")


class WallClock(Clock):
    """Goes with the loop's clock."""

    def __call__(self) -> Any:  # noqa: ANN401 - a time
        return self.now + timedelta(seconds=now())


class FailingQueue(ScheduledQueue):
    """Fails so many times, and then works."""

    faults: list[Exception]

    async def send(self, messages: Sequence[Outgoing]) -> None:
        if self.faults:
            raise self.faults.pop()
        await super().send(messages)


def write(path: Path, *names: str, queue: str = "jobs") -> None:
    schedules = [
        {"name": name, "cron": "* * * * *", "misfire": "skip", "job": {"code": {"inline": "1"}}}
        for name in names
    ]
    path.write_text(json.dumps({"version": 1, "queue": queue, "schedules": schedules}))


def change(path: Path, data: bytes | None) -> None:
    if data is None:
        path.unlink()
    else:
        path.write_bytes(data)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write(tmp_path / "s.json", "tick")
    return tmp_path / "s.json"


@pytest.fixture
def queue() -> FailingQueue:
    queue = FailingQueue(WallClock())
    queue.faults = []
    return queue


@asynccontextmanager
async def supplied(queue: ScheduledQueue, watched: WatchedFile) -> AsyncIterator[asyncio.Task[None]]:
    loop = asyncio.create_task(keep_supplied(supply(queue, MemoryBlobs()), watched, HORIZON))
    try:
        yield loop
    finally:
        loop.cancel()
        with suppress(asyncio.CancelledError):
            await loop


async def test_for_hours_each_run_is_in_the_queue_minutes_before_it_is_due(
    path: Path, queue: FailingQueue
) -> None:
    async with supplied(queue, WatchedFile(path)):
        for _ in range(180):
            await asyncio.sleep(61)
            queue.take_due()
            assert len(queue.held) >= 3
    assert len(queue.sent) == len(set(queue.sent)) >= 180


async def test_a_file_that_changes_counts_within_seconds_and_a_broken_one_does_not(
    path: Path, queue: FailingQueue, quiet: list[EventDict]
) -> None:
    async with supplied(queue, WatchedFile(path)):
        await asyncio.sleep(1)
        for broken in (b"{", b"\xff", b'{"version": 1, "schedules": [{}]}'):
            change(path, broken)
            await asyncio.sleep(10)
        change(path, None)
        await asyncio.sleep(10)
        assert {job.partition(".")[0] for job in queue.jobs()} == {"tick"}
        write(path, "tock")
        await asyncio.sleep(3)
        assert {job.partition(".")[0] for job in queue.jobs()} == {"tock"}
    events = [event["event"] for event in quiet if event["log_level"] == "error"]
    assert events == ["schedules_invalid"] * 3 + ["schedules_unreadable"]


async def test_a_queue_that_fails_is_tried_again_within_seconds(
    path: Path, queue: FailingQueue, quiet: list[EventDict]
) -> None:
    queue.faults = [InfrastructureFault("503"), ConfigurationFault("no", "Do something")]
    async with supplied(queue, WatchedFile(path)):
        await asyncio.sleep(25)
        assert len(queue.held) == 5
    levels = [event["log_level"] for event in quiet if event["event"] == "supply_failed"]
    assert levels == ["error", "warning"]


async def test_the_queue_of_before_is_left_empty_when_the_file_names_another(
    path: Path, queue: FailingQueue
) -> None:
    watched = WatchedFile(path)
    async with supplied(queue, watched) as loop:
        await asyncio.sleep(1)
        assert queue.held
        write(path, "tick", queue="other")
        await loop
    assert queue.held == {}
    assert watched.file.queue == "other"


async def test_a_file_that_is_wrong_from_the_start_is_refused(path: Path) -> None:
    change(path, b"{}")
    with pytest.raises(SchedulesError, match="schedules: Field required"):
        WatchedFile(path)
