"""Any number of schedulers keep a queue supplied, and none is in the way of another."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
import structlog

from tests.unit.batch.fakes import MemoryBlobs, result
from tests.unit.schedules.fakes import Clock, ScheduledQueue, at, file, supply
from worker.faults import InfrastructureFault

if TYPE_CHECKING:
    from worker.schedule import SchedulesFile

HORIZON = timedelta(minutes=5)
TICK = {"name": "tick", "misfire": "skip"}
COMING = [f"tick.20260302T120{minute}00Z" for minute in range(1, 5)]


@pytest.fixture
def queue() -> ScheduledQueue:
    return ScheduledQueue(Clock())


@pytest.fixture
def blobs() -> MemoryBlobs:
    return MemoryBlobs()


async def end(blobs: MemoryBlobs, job_id: str, batch: str = "tick") -> None:
    data = result(job_id, batch).model_dump_json().encode()
    await blobs.create(f"results/{batch}/{job_id}/result.json", data)


async def test_what_becomes_due_before_the_horizon_is_put_into_the_queue_and_nothing_twice(
    queue: ScheduledQueue, blobs: MemoryBlobs
) -> None:
    scheduler = supply(queue, blobs)
    done = await scheduler.sync(file(TICK), HORIZON)
    assert [run.job_id for run in done.sent] == queue.jobs() == COMING
    assert (await scheduler.sync(file(TICK), HORIZON)).sent == []
    queue.clock.advance(minutes=1)
    assert [job["id"] for job in queue.take_due()] == COMING[:1]
    await end(blobs, COMING[0])
    assert len((await scheduler.sync(file(TICK), HORIZON)).sent) == 1
    assert queue.sent == list(dict.fromkeys(queue.sent))


async def test_a_schedule_that_was_removed_disabled_or_changed_is_taken_back(
    queue: ScheduledQueue, blobs: MemoryBlobs
) -> None:
    scheduler = supply(queue, blobs)
    await scheduler.sync(file(TICK, {"name": "other", "misfire": "skip"}), HORIZON)
    done = await scheduler.sync(file(TICK), HORIZON)
    assert (len(done.cancelled), queue.jobs()) == (4, COMING)
    changed = file(TICK | {"job": {"code": {"inline": "2"}}})
    done = await scheduler.sync(changed, HORIZON)
    assert (len(done.cancelled), len(done.sent), queue.jobs()) == (4, 4, COMING)
    done = await scheduler.sync(file(TICK | {"enabled": False}), HORIZON)
    assert (len(done.cancelled), queue.jobs()) == (4, [])


async def test_another_group_and_other_messages_are_left_alone(
    queue: ScheduledQueue, blobs: MemoryBlobs
) -> None:
    scheduler = supply(queue, blobs)
    await scheduler.sync(file(TICK, group="a"), HORIZON)
    done = await scheduler.sync(file(group="b"), HORIZON)
    assert (done.cancelled, queue.jobs()) == ([], COMING)


async def test_a_definition_that_comes_back_is_sent_under_other_ids_since_the_queue_swallows_the_first(
    queue: ScheduledQueue, blobs: MemoryBlobs
) -> None:
    scheduler = supply(queue, blobs)
    for marks in range(3):
        done = await scheduler.sync(file(TICK), HORIZON)
        assert (queue.jobs(), done.lost) == (COMING, [])
        suffix = f"~{marks}" if marks else ""
        assert all(message.message_id.endswith(suffix) for message, _ in queue.held.values())
        await scheduler.sync(file(), HORIZON)
        assert queue.jobs() == []


async def test_what_the_queue_never_takes_is_told_as_an_error_and_comes_as_a_misfire(
    queue: ScheduledQueue, blobs: MemoryBlobs
) -> None:
    scheduler, often = supply(queue, blobs), file({"name": "tick", "cron": "3 12 * * *"})
    for _ in range(4):
        await scheduler.sync(often, HORIZON)
        await scheduler.sync(file(), HORIZON)
    with structlog.testing.capture_logs() as events:
        assert len((await scheduler.sync(often, HORIZON)).lost) == 1
    assert [event["log_level"] for event in events if event["event"] == "run_swallowed"] == ["error"]
    queue.clock.advance(minutes=4)
    assert len((await scheduler.sync(often, HORIZON)).late) == 1
    assert queue.jobs() == ["tick.20260302T120300Z"]


async def test_a_copy_by_which_a_worker_tries_a_job_again_is_not_taken_back(
    queue: ScheduledQueue, blobs: MemoryBlobs
) -> None:
    scheduler = supply(queue, blobs)
    await scheduler.sync(file(TICK), HORIZON)
    queue.clock.advance(minutes=1)
    queue.retried(1, minutes=3)
    done = await scheduler.sync(file(), HORIZON)
    assert (len(done.cancelled), queue.jobs()) == (3, COMING[:1])


async def test_of_the_runs_that_were_missed_the_last_one_is_made_up_for_once(
    queue: ScheduledQueue, blobs: MemoryBlobs
) -> None:
    once = file({"name": "tick", "misfire_window_seconds": 600})
    first, second = supply(queue, blobs), supply(queue, blobs)
    done = await first.sync(once, HORIZON)
    assert [run.job_id for run in done.late] == ["tick.20260302T120000Z"]
    await second.sync(once, HORIZON)
    assert Counter(queue.jobs()) == Counter(["tick.20260302T120000Z", *COMING])
    assert [job["id"] for job in queue.take_due()] == ["tick.20260302T120000Z"]
    await end(blobs, "tick.20260302T120000Z")
    assert [(await each.sync(once, HORIZON)).late for each in (first, second)] == [[], []]


@pytest.mark.parametrize(
    ("schedule", "late", "skipped"),
    [
        ({"cron": "0 11 * * *", "misfire_window_seconds": 3600}, 0, 0),
        ({"cron": "1 11 * * *", "misfire_window_seconds": 3600}, 1, 0),
        ({"cron": "1 11 * * *", "misfire": "skip"}, 0, 1),
        ({"cron": "1 11 * * *", "enabled": False}, 0, 0),
        ({"cron": "1 11 * * *", "since": "2026-03-03"}, 0, 0),
    ],
)
async def test_a_run_is_made_up_for_within_its_window_and_if_its_schedule_says_so(
    queue: ScheduledQueue, blobs: MemoryBlobs, schedule: dict[str, Any], late: int, skipped: int
) -> None:
    scheduler = supply(queue, blobs)
    done = await scheduler.sync(file({"name": "t"} | schedule), HORIZON)
    assert (len(done.late), len(done.skipped)) == (late, skipped)
    assert (await scheduler.sync(file({"name": "t"} | schedule), HORIZON)).skipped == []


async def test_a_queue_that_detects_no_duplicates_is_rid_of_them(
    queue: ScheduledQueue, blobs: MemoryBlobs
) -> None:
    first, second = supply(queue, blobs), supply(queue, blobs)
    await first.sync(file(TICK), HORIZON)
    messages = [message for message, _ in queue.held.values()]
    queue.ids.clear()
    await queue.send(messages)
    assert len(queue.held) == 8
    await asyncio.gather(*(each.sync(file(TICK), HORIZON) for each in (first, second)))
    assert list(queue.held) == [1, 2, 3, 4]


async def test_a_dry_run_changes_nothing(queue: ScheduledQueue, blobs: MemoryBlobs) -> None:
    _, wanted = await supply(queue, blobs).planned(file(TICK), HORIZON)
    assert (len(wanted.sent), queue.sent) == (4, [])


async def test_with_jitter_a_run_is_due_later_and_still_comes_once(
    queue: ScheduledQueue, blobs: MemoryBlobs
) -> None:
    scheduler, jittery = (
        supply(queue, blobs),
        file({"name": "tick", "jitter_seconds": 100, "cron": "*/2 * * * *"}),
    )
    ran: list[str] = []
    for _ in range(60):
        await scheduler.sync(jittery, HORIZON)
        for job in queue.take_due():
            ran.append(job["id"])
            await end(blobs, job["id"])
        queue.clock.advance(seconds=10)
    planned = [f"tick.20260302T12{minute:02}00Z" for minute in range(0, 8, 2)]
    assert set(planned) <= set(ran)
    assert set(Counter(ran).values()) == {1}


@pytest.mark.parametrize("calls", range(1, 12))
async def test_broken_off_anywhere_a_change_is_completed_by_the_next_scheduler(
    queue: ScheduledQueue, blobs: MemoryBlobs, calls: int
) -> None:
    await supply(queue, blobs).sync(file(TICK, {"name": "old", "misfire": "skip"}), HORIZON)
    changed = file(TICK | {"job": {"code": {"inline": "2"}}})
    queue.calls_left = calls
    try:
        await supply(queue, blobs).sync(changed, HORIZON)
    except InfrastructureFault:
        queue.calls_left = None
        await supply(queue, blobs).sync(changed, HORIZON)
    assert sorted(queue.jobs()) == COMING
    assert all(schedule_digest(changed) in message.message_id for message, _ in queue.held.values())


async def test_three_schedulers_at_once_converge_and_every_run_comes_once(
    queue: ScheduledQueue, blobs: MemoryBlobs
) -> None:
    schedulers = [supply(queue, blobs) for _ in range(3)]
    often = file({"name": "tick", "cron": "*/5 * * * * *", "misfire": "skip"})
    ran: list[str] = []
    for turn in range(40):
        await asyncio.gather(*(each.sync(often, timedelta(seconds=60)) for each in schedulers[turn % 3 :]))
        assert len(queue.jobs()) == len(set(queue.jobs()))
        for job in queue.take_due():
            ran.append(job["id"])
            await end(blobs, job["id"])
        queue.clock.advance(seconds=7)
    wanted = [at("12:00:05") + timedelta(seconds=5 * n) for n in range(54)]
    assert ran == [f"tick.{moment:%Y%m%dT%H%M%SZ}" for moment in wanted]


def schedule_digest(schedules: SchedulesFile) -> str:
    return schedules.schedules[0].digest
