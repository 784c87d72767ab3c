"""A schedule of each second, with schedulers and workers that are killed: every planned time runs once."""

from __future__ import annotations

import asyncio
import math
from datetime import UTC, datetime, timedelta
from itertools import cycle
from random import Random
from statistics import quantiles
from typing import TYPE_CHECKING, Any

from tests.chaos.findings import Findings
from tests.chaos.jobs import BATCH
from tests.chaos.scene import Scene, scene

if TYPE_CHECKING:
    from pathlib import Path

MAX_SESSIONS = 5
SCHEDULERS = WORKERS = 3
BETWEEN_KILLS_SECONDS = 10.0
DEAD_SECONDS = 3.0
FIRST_SECONDS = 20.0  # from when on planned times count: all processes run by then
LAST_SECONDS = 120.0
QUEUE = {
    "lock_duration_seconds": 10,
    "max_delivery_count": 20,
    "dead_lettering_on_expiration": True,
    "duplicate_detection_window_seconds": 600,
}
NAME = "tick"
FILE = f"""\
version: 1
schedules:
  - name: {NAME}
    cron: "* * * * * *"
    job:
      batch: {BATCH}
      code: {{inline: "console.log(process.env.JSWORKER_PLANNED_AT)"}}
"""
EMPTY = "version: 1\nschedules: []\n"


async def timetable(folder: Path, *, seconds: float) -> Findings:
    """Kill each of three schedulers and three workers in turn; judge by the results."""
    findings = Findings()
    file = folder / "schedules.yaml"
    file.write_text(FILE)
    settings = {"JSWORKER_MAX_SESSIONS": str(MAX_SESSIONS), "JSWORKER_SESSION_COOLDOWN_SECONDS": "30"}
    async with scene(folder, Random(0), QUEUE, settings) as here:  # noqa: S311 - nothing is drawn
        commands = [("schedule", "run", str(file))] * SCHEDULERS + [("run",)] * WORKERS
        for command in commands:
            await here.fleet.start(*command)
        await asyncio.sleep(FIRST_SECONDS)
        begin = _now()
        kills = await _kill_in_turn(here, begin + timedelta(seconds=seconds))
        end = _now()
        file.write_text(EMPTY)  # what is scheduled for later is taken back
        planned = [
            begin + timedelta(seconds=count) for count in range(math.floor((end - begin).total_seconds()))
        ]
        findings.figures["processes killed"] = kills
        await _judge(here, findings, {_job(time): time for time in planned})
    return findings


async def _kill_in_turn(here: Scene, end: datetime) -> int:
    for kills, kind in enumerate(cycle(["schedule", "run"])):
        if _now() >= end:
            return kills
        oldest = next(one for one in here.fleet.members if one.command[0] == kind)
        await here.fleet.kill(oldest)
        await asyncio.sleep(DEAD_SECONDS)
        await here.fleet.start(*oldest.command)
        await asyncio.sleep(BETWEEN_KILLS_SECONDS - DEAD_SECONDS)
    raise AssertionError("a cycle has no end")


async def _judge(here: Scene, findings: Findings, planned: dict[str, datetime]) -> None:
    wanted = set(planned)
    await here.until(lambda: wanted <= here.blobs.etags().keys(), LAST_SECONDS)
    etags = await asyncio.to_thread(here.blobs.etags)
    findings.expect(f"no time is lost: {sorted(wanted - etags.keys())[:9]}", holds=wanted <= etags.keys())
    results = await asyncio.to_thread(here.blobs.results, wanted & etags.keys())
    bad = {job: one["status"] for job, one in results.items() if not _good(one, planned[job])}
    findings.expect(f"each time's run succeeds and knows its time: {bad}", holds=not bad)
    runs = [one["trigger"]["schedule"]["run"] for _, one in sorted(results.items())]
    findings.expect("run numbers rise by one", holds=runs == list(range(runs[0], runs[0] + len(runs))))
    await here.until(lambda: not here.bus.waiting(), 60)
    left = [*await asyncio.to_thread(here.bus.waiting), *await asyncio.to_thread(here.bus.dead_letters)]
    findings.expect(f"no message is left, nor dead-lettered: {left[:9]}", holds=not left)
    findings.expect("all results lie where their times say", holds=_none_beside(etags))
    late = [(_read(one["started_at"]) - planned[job]).total_seconds() for job, one in results.items()]
    cuts = quantiles(late, n=100)
    findings.figures |= {
        "planned times": len(planned),
        "results": len(results),
        "executions": len(here.stack.journal.all()),
        "lateness p50, seconds": round(cuts[49], 3),
        "lateness p99, seconds": round(cuts[98], 3),
        "lateness at most, seconds": round(max(late), 3),
    }


def _good(result: dict[str, Any], planned: datetime) -> bool:
    said = result["stdout"]["text"].strip()
    return result["status"] == "succeeded" and bool(said) and _read(said) == planned


def _none_beside(etags: dict[str, str]) -> bool:
    return all(job.startswith(f"{NAME}.") for job in etags)


def _job(time: datetime) -> str:
    return f"{NAME}.{time:%Y%m%dT%H%M%SZ}"


def _read(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=1)
