"""One run: jobs are sent while things go wrong, then it is quiet until all has ended, then it is judged."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any

import click

from tests.chaos import logs
from tests.chaos.blows import Chaos
from tests.chaos.checker import check
from tests.chaos.clients import Blobs, Bus, Observer, Pool
from tests.chaos.fleet import Fleet
from tests.chaos.jobs import PROGRAMS, plan
from tests.chaos.records import Broken, Records
from tests.chaos.schedule import schedule
from tests.chaos.services import Stack

if TYPE_CHECKING:
    from collections import Counter
    from pathlib import Path

    from tests.chaos.jobs import Planned

LOCK_SECONDS = 8
POOL_SESSIONS = 8
SECONDS_A_JOB = 0.075
CHUNK = 20
SENT_AFTER = 0.7  # of the time in which things go wrong
END_SECONDS = 180.0
STOP_SECONDS = 60.0
SETTINGS = {
    "JSWORKER_PERMIT_LEASES": "true",
    "JSWORKER_PERMIT_LEASE_SECONDS": "15",
    "JSWORKER_RETRY_BASE_SECONDS": "0.2",
    "JSWORKER_RETRY_MAX_SECONDS": "2",
    "JSWORKER_MAX_ATTEMPTS": "8",
    "JSWORKER_WAIT_IN_HAND_SECONDS": "6",
    "JSWORKER_SHUTDOWN_GRACE_SECONDS": "3",
    "JSWORKER_DEFAULT_TIMEOUT_SECONDS": "5",
}


@dataclass(frozen=True)
class Plan:
    """What a run is to be: the same seed draws the same jobs and the same faults."""

    seed: int
    jobs: int = 2000
    workers: int = 3
    max_sessions: int = 5
    chaos_seconds: float | None = None
    end_seconds: float = END_SECONDS

    @property
    def trouble_seconds(self) -> float:
        """For how long things go wrong."""
        return self.jobs * SECONDS_A_JOB if self.chaos_seconds is None else self.chaos_seconds

    @property
    def queue(self) -> dict[str, Any]:
        """The queue; half of the seeds have duplicate detection."""
        return {
            "lock_duration_seconds": LOCK_SECONDS,
            "max_delivery_count": 50,
            "dead_lettering_on_expiration": True,
            "duplicate_detection_window_seconds": 600 if self.seed % 2 else None,
        }


@dataclass(frozen=True)
class Report:
    """What came of a run."""

    plan: Plan
    records: Records
    broken: list[Broken]
    seconds: float
    done: Counter[str]
    figures: dict[str, int] = field(default_factory=dict)


async def run(plan_: Plan, folder: Path) -> Report:
    """Make a stack and workers in the folder, let things go wrong, and judge what came of it."""
    random, began = Random(plan_.seed), time.monotonic()  # noqa: S311 - no secret depends on it
    jobs = plan(random, plan_.jobs)
    phases = schedule(random, plan_.trouble_seconds, LOCK_SECONDS)
    async with AsyncExitStack() as resources:
        stack = await resources.enter_async_context(Stack(folder, random, plan_.queue, POOL_SESSIONS))
        settings = {**stack.environment, **SETTINGS, "JSWORKER_MAX_SESSIONS": str(plan_.max_sessions)}
        fleet = Fleet(folder, settings)
        resources.push_async_callback(fleet.kill_all)
        chaos = Chaos(stack, fleet, random)
        await asyncio.to_thread(_upload, stack)
        observer = resources.enter_context(Observer(stack.direct))
        for _ in range(plan_.workers):
            await fleet.start()
        feeding = asyncio.create_task(_feed(stack, jobs, plan_.trouble_seconds * SENT_AFTER))
        await chaos.run(phases)
        uncertain = await feeding
        await _all_ended(stack, observer, jobs, plan_.end_seconds)
        fleet.reap()
        await fleet.stop_all(STOP_SECONDS)
        records = await asyncio.to_thread(_collected, stack, fleet, observer, jobs, uncertain)
    seconds = time.monotonic() - began
    broken = check(records, most_sessions=plan_.max_sessions)
    return Report(plan_, records, broken, seconds, chaos.done, _figures(stack, fleet, jobs))


def _upload(stack: Stack) -> None:
    blobs = Blobs(stack.direct)
    blobs.upload(PROGRAMS)
    blobs.close()


async def _feed(stack: Stack, jobs: list[Planned], seconds: float) -> int:
    """Send the jobs' messages bit by bit; how many of the nameless may have been sent more than once."""
    bus = Bus(stack.direct)
    chunks = [jobs[start : start + CHUNK] for start in range(0, len(jobs), CHUNK)]
    uncertain = 0
    for chunk in chunks:
        again = await asyncio.to_thread(bus.send, [one for job in chunk for one in job.messages])
        uncertain += again
        await asyncio.sleep(seconds / len(chunks))
    return uncertain


async def _all_ended(stack: Stack, observer: Observer, jobs: list[Planned], seconds: float) -> None:
    """Wait until each job has a result and the queue is empty, or the time is over."""
    bus, end = Bus(stack.direct), time.monotonic() + seconds
    while time.monotonic() < end:
        if observer.seen >= len(jobs) and not await asyncio.to_thread(bus.waiting):
            return
        await asyncio.sleep(0.5)
    click.echo(f"  not all has ended after {seconds:g} s without faults", err=True)


def _collected(
    stack: Stack, fleet: Fleet, observer: Observer, jobs: list[Planned], uncertain: int
) -> Records:
    bus, blobs, pool = Bus(stack.direct), Blobs(stack.direct), Pool(stack.direct)
    etags = blobs.etags()
    records = Records(
        expected={job.name: job.expected for job in jobs if job.expected},
        nameless=sum(job.expected is None for job in jobs),
        uncertain=uncertain,
        results=blobs.results(etags),
        sightings=tuple(observer.sightings),
        etags=etags,
        lines=tuple(blobs.lines()),
        dead_letters=tuple(bus.dead_letters()),
        waiting=tuple(bus.waiting()),
        executions=stack.journal.all(),
        sampled=tuple(observer.sampled),
        sessions=tuple(pool.sessions()),
        permits=tuple(blobs.leased_permits()),
        exits=tuple(fleet.exits),
        complaints=logs.complaints(logs.events(fleet.logs)),
    )
    blobs.close()
    pool.close()
    return records


def _figures(stack: Stack, fleet: Fleet, jobs: list[Planned]) -> dict[str, int]:
    return {
        "messages": sum(len(job.messages) for job in jobs),
        "workers started": len(fleet.logs),
        "workers that ended by themselves": len(fleet.ended_alone),
        "redeliveries": logs.redeliveries(logs.events(fleet.logs)),
        "connections cut": sum(relay.injected["cut"] for relay in stack.relays.values()),
        "answers lost": sum(relay.injected["lost"] for relay in stack.relays.values()),
    }
