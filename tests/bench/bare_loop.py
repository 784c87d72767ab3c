"""The floor: a loop that makes the worker's calls of the worker's clients for each job, and nothing else.

It reads the worker's settings, validates nothing, renews nothing and loses jobs on every fault.
"""

from __future__ import annotations

import asyncio
import json
import signal
import ssl
import uuid
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import httpx
from azure.servicebus.aio import ServiceBusClient
from azure.storage.blob.aio import BlobServiceClient

from worker.runner import Program, RunSpec, build_script, parse_frame
from worker.settings import WorkerSettings, load

if TYPE_CHECKING:
    from azure.servicebus.aio import ServiceBusReceiver
    from pydantic import SecretStr

_FRAME_CHARS = 123_456


class BareLoop:
    """One receiver a slot, one HTTP client a permit, as the worker has them."""

    def __init__(self, settings: WorkerSettings, blobs: BlobServiceClient) -> None:
        self._settings = settings
        self._blobs = blobs
        self._permits: asyncio.Queue[httpx.AsyncClient] = asyncio.Queue()
        context = httpx.create_ssl_context()
        headers = {"Authorization": f"Bearer {_secret(settings.pool_token)}"}
        for _ in range(settings.max_sessions):
            client = httpx.AsyncClient(
                base_url=settings.pool_endpoint, headers=headers, verify=context, timeout=60
            )
            self._permits.put_nowait(client)

    async def slot(self, receiver: ServiceBusReceiver) -> None:
        async with receiver:
            while True:
                for message in await receiver.receive_messages(max_message_count=1, max_wait_time=5):
                    await self._handle(json.loads(b"".join(message.body)))
                    await receiver.complete_message(message)

    async def _handle(self, job: dict[str, Any]) -> None:
        container, _, name = job["code"]["blob"].partition("/")
        reading = await self._blobs.get_blob_client(container, name).download_blob()
        code = await reading.readall()
        nonce = uuid.uuid4().hex
        run = RunSpec(timeout_seconds=10, memory_mb=512, output_bytes=1 << 20)
        script = build_script(Program(code, (run,)), nonce=nonce, frame_chars=_FRAME_CHARS)
        stdout = await self._execute(script)
        parse_frame(stdout, nonce)
        result = json.dumps({"id": job["id"], "status": "succeeded"}, separators=(",", ":"))
        blob = self._blobs.get_blob_client(
            self._settings.results_container, f"{job['batch']}/{job['id']}/result.json"
        )
        await blob.upload_blob(result.encode(), overwrite=False)

    async def _execute(self, script: str) -> str:
        client = await self._permits.get()
        parameters = {"api-version": self._settings.pool_api_version, "identifier": uuid.uuid4().hex}
        try:
            answer = await client.post("/executions", params=parameters, json={"code": script})
            await client.delete("/session", params=parameters)
        finally:
            self._permits.put_nowait(client)
        stdout: str = answer.raise_for_status().json()["result"]["stdout"]
        return stdout


def _secret(value: SecretStr | None) -> str:
    return value.get_secret_value() if value else ""


def _end_on_sigterm() -> None:
    task = asyncio.current_task()
    assert task
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)


async def main() -> None:
    _end_on_sigterm()
    settings = load(WorkerSettings)
    async with (
        ServiceBusClient.from_connection_string(
            _secret(settings.servicebus_connection_string), ssl_context=ssl.create_default_context()
        ) as bus,
        BlobServiceClient.from_connection_string(
            _secret(settings.storage_connection_string), use_env_settings=False
        ) as blobs,
        asyncio.TaskGroup() as tasks,
    ):
        loop = BareLoop(settings, blobs)
        for _ in range(settings.slots):
            tasks.create_task(loop.slot(bus.get_queue_receiver(settings.queue, prefetch_count=0)))


if __name__ == "__main__":
    with suppress(asyncio.CancelledError):
        asyncio.run(main())
