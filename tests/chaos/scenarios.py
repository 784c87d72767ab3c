"""Three situations by themselves: an outage, a fleet that comes and goes, a stop with jobs under way."""

from __future__ import annotations

import asyncio
import json
import time
from random import Random
from typing import TYPE_CHECKING, Any

from tests.chaos.findings import Findings
from tests.chaos.jobs import BATCH, mark
from tests.chaos.scene import Scene, scene

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

MAX_SESSIONS = 5
END_SECONDS = 120.0
LEASE_SECONDS = 20.0  # of those killed, and some more
_QUEUE = {"lock_duration_seconds": 60, "max_delivery_count": 20, "dead_lettering_on_expiration": True}
_ENDLESS = b"setInterval(() => {}, 1e6)"
_QUICK = b"console.log(process.argv[2])"


async def outage(folder: Path, *, seconds: float, jobs: int) -> Findings:
    """The pool is down while jobs wait: none is given up or spends an attempt, and all go on soon after."""
    findings = Findings()
    async with scene(folder, Random(0), _QUEUE, _sessions()) as here:  # noqa: S311 - nothing is drawn
        await here.fleet.start()
        await _run(here, ["warm"])
        here.stack.set_faults({"pool": {"down": True}})
        names = [f"s{number:04d}" for number in range(jobs)]
        await asyncio.to_thread(here.bus.send, _messages(names))
        await asyncio.sleep(seconds)
        before, returned = len(here.stack.journal.all()), time.monotonic()
        here.stack.set_faults({})
        ended = await here.until(lambda: _answered(here, before), 60)
        findings.measured("seconds until work resumed", (ended or time.monotonic()) - returned, most=15)
        await _judge(here, findings, names)
        delivered = [event["delivery_count"] for event in here.fleet.events() if "delivery_count" in event]
        findings.measured("highest delivery count", max(delivered, default=0), most=1)
    return findings


async def fleet(folder: Path, *, jobs: int, milliseconds: int) -> Findings:
    """Three workers share five permits, one is killed and one joins: never more than five sessions."""
    findings = Findings()
    queue = {**_QUEUE, "lock_duration_seconds": 5}
    async with scene(folder, Random(0), queue, _sessions()) as here:  # noqa: S311 - nothing is drawn
        for _ in range(3):
            await here.fleet.start()
        names = [f"s{number:04d}" for number in range(jobs)]
        code = f"setTimeout(() => console.log(process.argv[2]), {milliseconds})"
        await asyncio.to_thread(here.bus.send, _messages(names, code={"inline": code}))
        await here.until(lambda: len(here.blobs.etags()) > jobs // 4, 60)
        await here.fleet.kill(here.fleet.members[0])
        await here.until(lambda: len(here.blobs.etags()) > jobs // 2, 60)
        await here.fleet.start()
        await _judge(here, findings, names)
        await here.fleet.stop_all(60)
        findings.measured("most sessions at a time", max(here.observer.sampled), most=MAX_SESSIONS)
        findings.expect("all permits are used", holds=max(here.observer.sampled) == MAX_SESSIONS)
        findings.figures["samples"] = len(here.observer.sampled)
        is_free = await here.until(lambda: not here.blobs.leased_permits(), LEASE_SECONDS)
        findings.expect("no permit is left, once the lease of the dead has passed", holds=is_free)
    return findings


async def shutdown(folder: Path, *, grace_seconds: float, budget_seconds: float) -> Findings:
    """A worker is stopped with long jobs under way: it ends within its budget, they end elsewhere at once."""
    findings = Findings()
    names = [f"s{number}" for number in range(MAX_SESSIONS)]
    settings = {**_sessions(), "JSWORKER_SHUTDOWN_GRACE_SECONDS": str(grace_seconds)}
    async with scene(folder, Random(0), _QUEUE, settings) as here:  # noqa: S311 - nothing is drawn
        stopped = await here.fleet.start()
        await asyncio.to_thread(here.blobs.upload, {_blob(name): _ENDLESS for name in names})
        for name in names:
            limits = {"timeout_seconds": 60}
            message = _messages([name], code={"blob": _blob(name)}, limits=limits)
            await asyncio.to_thread(here.bus.send, message)
        await here.until(lambda: len(here.stack.journal.all()) == len(names), 60)
        await here.fleet.start()
        await asyncio.to_thread(here.blobs.upload, {_blob(name): _QUICK for name in names})
        began = time.monotonic()
        await here.fleet.stop(stopped, grace_seconds + 30)
        ended = time.monotonic()
        findings.measured("seconds until the worker had ended", ended - began, most=budget_seconds)
        findings.expect(f"status 0: {here.fleet.exits}", holds=here.fleet.exits[0][1] == 0)
        await _judge(here, findings, names)
        findings.measured("seconds until the last result", time.monotonic() - ended, most=15)
        findings.figures["executions"] = len(here.stack.journal.all())
    return findings


def _sessions() -> dict[str, str]:
    return {"JSWORKER_MAX_SESSIONS": str(MAX_SESSIONS)}


def _blob(name: str) -> str:
    return f"submissions/{BATCH}/{name}.js"


def _messages(names: Iterable[str], **fields: Any) -> list[tuple[str, bytes]]:  # noqa: ANN401 - a job's own
    return [(name, json.dumps({**_job(name), **fields}).encode()) for name in names]


def _job(name: str) -> dict[str, Any]:
    return {
        "version": 1,
        "id": name,
        "batch": BATCH,
        "code": {"inline": _QUICK.decode()},
        "args": [mark(name)],
    }


def _answered(here: Scene, since: int) -> float | None:
    """When the first execution since that one was answered as it should be."""
    answers = [one.ended for one in here.stack.journal.all()[since:] if one.status == 200 and one.ended]
    return min(answers, default=None)


async def _run(here: Scene, names: list[str]) -> None:
    await asyncio.to_thread(here.bus.send, _messages(names))
    await here.until(lambda: names[0] in here.blobs.etags(), 60)


async def _judge(here: Scene, findings: Findings, names: list[str]) -> None:
    """Each job has succeeded at its first attempt with its own output, and no message is left."""
    wanted = set(names)
    await here.until(lambda: wanted <= here.blobs.etags().keys(), END_SECONDS)
    etags = await asyncio.to_thread(here.blobs.etags)
    findings.expect(f"no job is lost: {sorted(wanted - etags.keys())[:9]}", holds=wanted <= etags.keys())
    results = await asyncio.to_thread(here.blobs.results, wanted & etags.keys())
    bad = {name: (one["status"], one["error"]) for name, one in results.items() if not _good(name, one)}
    findings.expect(f"each job succeeds at its first attempt: {bad}", holds=not bad)
    await here.until(lambda: not here.bus.waiting(), 30)
    left = [*await asyncio.to_thread(here.bus.waiting), *await asyncio.to_thread(here.bus.dead_letters)]
    findings.expect(f"no message is left, nor dead-lettered: {left}", holds=not left)


def _good(name: str, result: dict[str, Any]) -> bool:
    wanted = ("succeeded", 1, f"{mark(name)}\n")
    return (result["status"], result["attempts"], result["stdout"]["text"]) == wanted
