"""The example pipeline, its worker killed at five points: each step has one result, no event is lost."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from contextlib import asynccontextmanager
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any

from azure.servicebus import ServiceBusClient
from azure.storage.blob import BlobServiceClient

from tests.chaos.findings import Findings
from tests.chaos.fleet import ROOT
from tests.chaos.scene import Scene, scene

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

EXAMPLE = ROOT / "examples" / "pipeline"
RULES = {"lock_duration_seconds": 5, "max_delivery_count": 20, "dead_lettering_on_expiration": True}
EVENTS = "done"
CHARTS = 3
JOBS = 1 + CHARTS + 1
END_SECONDS = 90.0

# The worker is killed when there are so many results: while the event is under way, while the first step is,
# when that has its result, when some of the fan-out have theirs, when all have.
POINTS = (0, 0, 1, CHARTS, JOBS)


async def pipeline(folder: Path) -> Findings:
    """Run it, kill, start again, at each point; then look at what there is."""
    findings = Findings()
    queues = ({"name": "webhooks", **RULES}, {"name": EVENTS, **RULES})
    async with (
        _receiver(folder) as settings,
        scene(folder, Random(0), RULES, settings, queues) as here,  # noqa: S311 - nothing is drawn
    ):
        await here.fleet.start()
        await _upload(here)
        for results in POINTS:
            await here.until(partial(_has, here, results), END_SECONDS)
            await here.fleet.kill(here.fleet.members[0])
            await here.fleet.start()
            await here.until(lambda: here.fleet.members[0].has_begun, 30)
        await _judge(here, findings, folder)
    findings.figures["kills"] = len(POINTS)
    return findings


@asynccontextmanager
async def _receiver(folder: Path) -> AsyncIterator[dict[str, str]]:
    """The example's receiver, and the settings of a worker that sends to it."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(EXAMPLE / "receiver.py"), str(folder / "receiver"), "--port=0"),
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout
        address = (await process.stdout.readline()).decode().strip()
        routes = folder / "routes.yaml"
        routes.write_text((EXAMPLE / "routes.yaml").read_text().replace("https://localhost:8443", address))
        yield {
            "JSWORKER_MAX_SESSIONS": "3",
            "JSWORKER_ROUTES": str(routes),
            "JSWORKER_EVENTS_TO": f"queue:{EVENTS}",
            "JSWORKER_WEBHOOK_HOSTS": "localhost",
            "JSWORKER_WEBHOOK_SECRET": (folder / "receiver" / "secret").read_text(),
            "JSWORKER_WEBHOOK_PRIVATE_NETWORKS": "127.0.0.0/8,::1/128",
            "JSWORKER_WEBHOOK_CA_FILE": str(folder / "receiver" / "ca.pem"),
        }
    finally:
        process.kill()
        await process.wait()


async def _upload(here: Scene) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(EXAMPLE / "upload.py")),
        env={**os.environ, **here.stack.direct},
        stdout=asyncio.subprocess.DEVNULL,
    )
    assert await process.wait() == 0


async def _judge(here: Scene, findings: Findings, folder: Path) -> None:
    received = folder / "receiver" / "received.jsonl"
    await here.until(lambda: _has(here, JOBS) and received.exists(), END_SECONDS)
    await here.until(lambda: len(_events(here.stack.direct)) >= JOBS, END_SECONDS)
    results = [json.loads(data) for data in _results(here.stack.direct).values()]
    findings.figures["results"] = len(results)
    findings.expect(f"one result a step: {[one['id'] for one in results]}", holds=len(results) == JOBS)
    bad = {one["id"]: (one["status"], one["error"]) for one in results if one["status"] != "succeeded"}
    findings.expect(f"each step succeeds: {bad}", holds=not bad)
    ids = {event["id"] for event in _events(here.stack.direct)}
    findings.expect(f"an event for each step: {sorted(ids)}", holds=len(ids) == JOBS)
    told = [json.loads(line) for line in received.read_text().splitlines()] if received.exists() else []
    findings.expect(f"one webhook: {told}", holds=len({event["id"] for event in told}) == 1)
    joins = [one for one in results if one["id"].endswith(".join")]
    findings.expect("the fan-in happened once", holds=len(joins) == 1)
    await here.until(lambda: not here.bus.waiting(), 30)
    left = [*await asyncio.to_thread(here.bus.waiting), *await asyncio.to_thread(here.bus.dead_letters)]
    findings.expect(f"no message is left, nor dead-lettered: {left}", holds=not left)


def _has(here: Scene, results: int) -> bool:
    return len(_results(here.stack.direct, read=False)) >= results


def _results(environment: Mapping[str, str], *, read: bool = True) -> dict[str, bytes]:
    connection = environment["JSWORKER_STORAGE_CONNECTION_STRING"]
    with BlobServiceClient.from_connection_string(connection) as client:
        container = client.get_container_client("results")
        names = list(container.list_blob_names(name_starts_with="sales/"))
        return {
            name: container.download_blob(name).readall() if read else b""
            for name in names
            if name.endswith("/result.json")
        }


def _events(environment: Mapping[str, str]) -> list[dict[str, Any]]:
    connection = environment["JSWORKER_SERVICEBUS_CONNECTION_STRING"]
    with (
        ServiceBusClient.from_connection_string(connection) as client,
        client.get_queue_receiver(EVENTS) as receiver,
    ):
        return [json.loads(b"".join(message.body)) for message in receiver.peek_messages(100)]
