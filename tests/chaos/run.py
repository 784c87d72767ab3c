"""One run: jobs are sent while things go wrong, then it is quiet until all has ended, then it is judged."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any

import click

from tests.chaos import logs
from tests.chaos.blows import Chaos
from tests.chaos.checker import check
from tests.chaos.clients import Pool
from tests.chaos.jobs import PROGRAMS, plan
from tests.chaos.records import Broken, Records
from tests.chaos.scene import Scene, scene
from tests.chaos.schedule import schedule

if TYPE_CHECKING:
    from collections import Counter
    from pathlib import Path

    from tests.chaos.clients import Bus
    from tests.chaos.jobs import Planned

LOCK_SECONDS = 8
SECONDS_A_JOB = 0.075
CHUNK = 20
SENT_AFTER = 0.7  # of the time in which things go wrong
STALLED_SECONDS = 90.0  # longer than a copy of a message waits before it comes again
STOP_SECONDS = 60.0


@dataclass(frozen=True)
class Plan:
    """What a run is to be: the same seed draws the same jobs and the same faults."""

    seed: int
    jobs: int = 2000
    workers: int = 3
    max_sessions: int = 5
    chaos_seconds: float | None = None

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
    figures: dict[str, int]
    errors: Counter[str]


async def run(plan_: Plan, folder: Path) -> Report:
    """Make a stack and workers in the folder, let things go wrong, and judge what came of it."""
    random, began = Random(plan_.seed), time.monotonic()  # noqa: S311 - no secret depends on it
    jobs = plan(random, plan_.jobs)
    phases = schedule(random, plan_.trouble_seconds, LOCK_SECONDS)
    settings = {"JSWORKER_MAX_SESSIONS": str(plan_.max_sessions)}
    async with scene(folder, random, plan_.queue, settings) as here:
        chaos = Chaos(here.stack, here.fleet, random)
        await asyncio.to_thread(here.blobs.upload, PROGRAMS)
        for _ in range(plan_.workers):
            await here.fleet.start()
        feeding = asyncio.create_task(_feed(here.bus, jobs, plan_.trouble_seconds * SENT_AFTER))
        await chaos.run(phases)
        uncertain = await feeding
        await _all_ended(here, jobs)
        here.fleet.reap()
        await here.fleet.stop_all(STOP_SECONDS)
        records = await asyncio.to_thread(_collected, here, jobs, uncertain)
        figures, errors = _figures(here, jobs), logs.errors(here.fleet.events())
    seconds = time.monotonic() - began
    broken = check(records, most_sessions=plan_.max_sessions)
    return Report(plan_, records, broken, seconds, chaos.done, figures, errors)


async def _feed(bus: Bus, jobs: list[Planned], seconds: float) -> int:
    """Send the jobs' messages bit by bit; how many may have been sent more than once."""
    chunks = [jobs[start : start + CHUNK] for start in range(0, len(jobs), CHUNK)]
    uncertain = 0
    for chunk in chunks:
        uncertain += await asyncio.to_thread(bus.send, [one for job in chunk for one in job.messages])
        await asyncio.sleep(seconds / len(chunks))
    return uncertain


async def _all_ended(here: Scene, jobs: list[Planned]) -> None:
    """Wait until each job has a result and the queue is empty, for as long as there is progress."""
    ended = False
    while not ended:
        before = here.observer.seen
        ended = await here.until(
            lambda: here.observer.seen >= len(jobs) and not here.bus.waiting(), STALLED_SECONDS
        )
        if not ended and here.observer.seen == before:
            click.echo(f"  not all has ended, and nothing has for {STALLED_SECONDS:g} s", err=True)
            return


def _collected(here: Scene, jobs: list[Planned], uncertain: int) -> Records:
    pool, etags = Pool(here.stack.direct), here.blobs.etags()
    records = Records(
        expected={job.name: job.expected for job in jobs if job.expected},
        nameless=sum(job.expected is None for job in jobs),
        uncertain=uncertain,
        results=here.blobs.results(etags),
        sightings=tuple(here.observer.sightings),
        etags=etags,
        lines=tuple(here.blobs.lines()),
        dead_letters=tuple(here.bus.dead_letters()),
        waiting=tuple(here.bus.waiting()),
        executions=here.stack.journal.all(),
        sampled=tuple(here.observer.sampled),
        sessions=tuple(pool.sessions()),
        permits=tuple(here.blobs.leased_permits()),
        exits=tuple(here.fleet.exits),
        defects=logs.defects(here.fleet.events()),
    )
    pool.close()
    return records


def _figures(here: Scene, jobs: list[Planned]) -> dict[str, int]:
    relays = here.stack.relays.values()
    return {
        "messages": sum(len(job.messages) for job in jobs),
        "workers started": len(here.fleet.logs),
        "workers that ended by themselves": len(here.fleet.ended_alone),
        "redeliveries": logs.redeliveries(here.fleet.events()),
        "connections cut": sum(relay.injected["cut"] for relay in relays),
        "answers lost": sum(relay.injected["lost"] for relay in relays),
    }
