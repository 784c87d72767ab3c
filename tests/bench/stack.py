"""What the worker is measured against: the broker as it is, and light stand-ins for the other services."""

from __future__ import annotations

import asyncio
import hashlib
import json
import secrets
import time
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
from azure.servicebus import ServiceBusMessage
from azure.servicebus.aio import ServiceBusClient
from azure.storage.blob.aio import BlobServiceClient

from tests.bench.processes import BenchError, Process, process

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Sequence
    from pathlib import Path

    from azure.servicebus.aio import ServiceBusSender

QUEUE = "jobs"
_BATCH = 250
_LOOK_SECONDS = 0.05
_KEY = secrets.token_hex(16)


@dataclass(frozen=True)
class Stack:
    """What runs, what a worker must be told to use it, and the benchmark's own clients of it."""

    broker: Process
    blobs: Process
    pool: Process
    environ: dict[str, str]
    _blobs_url: str
    _pool_url: str
    _http: httpx.AsyncClient
    _senders: dict[str, ServiceBusSender]
    _storage: BlobServiceClient

    async def upload(self, batch: str, programs: Iterable[str]) -> list[dict[str, str]]:
        """Store programs; returns the ``code`` of their jobs, pinned."""
        limit = asyncio.Semaphore(16)

        async def put(index: int, text: str) -> dict[str, str]:
            name = f"{batch}/p{index:06}.js"
            async with limit:
                written = await self._storage.get_blob_client("submissions", name).upload_blob(text)
            digest = hashlib.sha256(text.encode()).hexdigest()
            return {"blob": f"submissions/{name}", "sha256": digest, "etag": written["etag"]}

        return await asyncio.gather(*(put(index, text) for index, text in enumerate(programs)))

    async def send(self, batch: str, codes: Iterable[dict[str, str]], queue: str = QUEUE) -> None:
        """Send a job for each code."""
        messages = [_message(batch, index, code) for index, code in enumerate(codes)]
        for start in range(0, len(messages), _BATCH):
            await self._senders[queue].send_messages(messages[start : start + _BATCH])

    async def results(self, prefix: str, containing: str = "") -> dict[str, float]:
        """How many results there are under a prefix, and when the last of them was committed."""
        query = {
            "container": "results",
            "prefix": prefix,
            "suffix": "/result.json",
            "containing": containing,
        }
        answer = await self._http.get(f"{self._blobs_url}/stats", params=query)
        counted: dict[str, float] = answer.raise_for_status().json()
        return counted

    async def wait_for_results(self, prefix: str, count: int, worker: Process, seconds: float) -> float:
        """Wait until so many results are committed; returns when the last was."""
        deadline = time.monotonic() + seconds
        while (found := await self.results(prefix))["count"] < count:
            if time.monotonic() > deadline or worker.child.returncode is not None:
                raise BenchError(f"{found['count']} of {count} results came:\n{worker.tail()}")
            await asyncio.sleep(_LOOK_SECONDS)
        return found["last"]

    async def pool_stats(self) -> dict[str, Any]:
        answer = await self._http.get(f"{self._pool_url}/stats")
        stats: dict[str, Any] = answer.raise_for_status().json()
        return stats

    async def forget_pool_stats(self) -> None:
        await self._http.delete(f"{self._pool_url}/stats")


@asynccontextmanager
async def stack(
    folder: Path, sessions: int, allocate_seconds: float = 0.0, queues: Sequence[str] = (QUEUE,)
) -> AsyncIterator[Stack]:
    """Start the stack with its state and logs in a folder that exists, and stop it."""
    async with AsyncExitStack() as resources:

        async def start(name: str, *arguments: str) -> tuple[Process, dict[str, Any]]:
            command = ("-m", *arguments)
            running = await resources.enter_async_context(process(command, folder / f"{name}.log"))
            return running, await running.ready()

        broker, broker_ready = await start("broker", *broker_command(folder, queues))
        blobs, blobs_ready = await start("blobs", "tests.bench.light_blobs")
        pool, pool_ready = await start(
            "pool", "tests.bench.simulated_pool", str(sessions), str(allocate_seconds)
        )
        connection = bus_connection_string(broker_ready)
        bus = await resources.enter_async_context(ServiceBusClient.from_connection_string(connection))
        storage = await resources.enter_async_context(
            BlobServiceClient.from_connection_string(blobs_ready["connection_string"])
        )
        for container in ("submissions", "inputs", "results"):
            await storage.create_container(container)
        yield Stack(
            broker,
            blobs,
            pool,
            environ={
                "JSWORKER_SERVICEBUS_CONNECTION_STRING": connection,
                "JSWORKER_STORAGE_CONNECTION_STRING": blobs_ready["connection_string"],
                "JSWORKER_POOL_ENDPOINT": pool_ready["endpoint"],
                "JSWORKER_POOL_TOKEN": pool_ready["token"],
                "JSWORKER_MAX_SESSIONS": str(sessions),
                "JSWORKER_QUEUE": QUEUE,
            },
            _blobs_url=blobs_ready["url"],
            _pool_url=pool_ready["endpoint"],
            _http=await resources.enter_async_context(httpx.AsyncClient(trust_env=False, timeout=30)),
            _senders={
                name: await resources.enter_async_context(bus.get_queue_sender(name)) for name in queues
            },
            _storage=storage,
        )


def broker_command(folder: Path, queues: Sequence[str] = (QUEUE,)) -> tuple[str, ...]:
    """How the broker is started, with its data in the folder."""
    declared, key = folder / "queues.json", folder / "key"
    shared = {"lock_duration_seconds": 60, "max_delivery_count": 20}
    declared.write_text(json.dumps({"queues": [{"name": name, **shared} for name in queues]}))
    key.write_text(_KEY)
    data = folder / "broker"
    return ("worker.local.broker", "--data", str(data), "--queues", str(declared), "--key-file", str(key))


def bus_connection_string(ready: dict[str, Any]) -> str:
    """How to reach the broker that printed this ready line."""
    return (
        f"Endpoint=sb://localhost:{ready['port']};SharedAccessKeyName=RootManageSharedAccessKey;"
        f"SharedAccessKey={_KEY};UseDevelopmentEmulator=true;"
    )


def _message(batch: str, index: int, code: dict[str, str]) -> ServiceBusMessage:
    job = {"version": 1, "id": f"j{index:06}", "batch": batch, "code": code}
    return ServiceBusMessage(json.dumps(job), message_id=f"{batch}.{index}", content_type="application/json")
