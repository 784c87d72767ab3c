"""The blob store under the storage SDK, killed: what it answered is there, whole."""

import asyncio
import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from azure.core.exceptions import (
    ResourceExistsError,
    ResourceNotFoundError,
    ServiceRequestError,
    ServiceResponseError,
)
from azure.storage.blob.aio import BlobServiceClient, ContainerClient

from worker.local import azurite
from worker.local.supervised import Child

KEY = "a2V5IG9mIGEgdGVzdA=="
CONTAINER = "results"
SMALL_PUT = 4096  # bigger bodies go up as blocks and a commit
WRITERS = 8
RANDOM = secrets.SystemRandom()


@asynccontextmanager
async def store(directory: Path) -> AsyncIterator[Child]:
    child = await Child.start(azurite.command(directory, 0, KEY, directory / "log"))
    try:
        await asyncio.to_thread(azurite.create_containers, child.port, KEY, [CONTAINER])
        yield child
    finally:
        await child.stop()


@asynccontextmanager
async def container(child: Child) -> AsyncIterator[ContainerClient]:
    address = azurite.connection_string(child.port, KEY)
    async with BlobServiceClient.from_connection_string(
        address, retry_total=0, max_single_put_size=SMALL_PUT, max_block_size=SMALL_PUT
    ) as service:
        yield service.get_container_client(CONTAINER)


class Writer:
    """Writes blobs of its own; knows what each may hold: one thing, or two while a request is under way."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.may_hold: dict[str, list[bytes | None]] = {}

    async def write_until_killed(self, blobs: ContainerClient) -> None:
        with suppress(ServiceRequestError, ServiceResponseError):
            while True:
                await self._write_one(blobs, f"{self.number}/{RANDOM.randrange(6)}")

    async def _write_one(self, blobs: ContainerClient, name: str) -> None:
        held = self.may_hold.setdefault(name, [None])[0]
        body = os.urandom(RANDOM.choice([1, 700, 3 * SMALL_PUT]))
        match RANDOM.choice(["create", "overwrite", "append", "delete"]):
            case "create":
                await self._create(blobs, name, held, body)
            case "overwrite":
                await self._overwrite(blobs, name, held, body)
            case "append":
                await self._append(blobs, f"{name}.log", body[:SMALL_PUT])
            case "delete":
                await self._delete(blobs, name, held)

    async def _create(self, blobs: ContainerClient, name: str, held: bytes | None, body: bytes) -> None:
        self.may_hold[name] = [held, held if held is not None else body]
        try:
            await blobs.upload_blob(name, body, overwrite=False)
        except ResourceExistsError:
            assert held is not None
        else:
            assert held is None
        self.may_hold[name] = self.may_hold[name][1:]

    async def _overwrite(self, blobs: ContainerClient, name: str, held: bytes | None, body: bytes) -> None:
        self.may_hold[name] = [held, body]
        await blobs.upload_blob(name, body, overwrite=True, metadata={"ttl": "kept", "constraints": "kept"})
        self.may_hold[name] = [body]

    async def _append(self, blobs: ContainerClient, name: str, block: bytes) -> None:
        blob = blobs.get_blob_client(name)
        written = self.may_hold.setdefault(name, [None])[0]
        if written is None:
            self.may_hold[name] = [None, b""]
            await blob.create_append_blob()
            written = b""
        self.may_hold[name] = [written, written + block]
        await blob.append_block(block)
        self.may_hold[name] = [written + block]

    async def _delete(self, blobs: ContainerClient, name: str, held: bytes | None) -> None:
        self.may_hold[name] = [held, None]
        with suppress(ResourceNotFoundError):
            await blobs.delete_blob(name)
        self.may_hold[name] = [None]

    async def check(self, blobs: ContainerClient) -> None:
        """Every blob holds what it may; from here on it is known which."""
        for name, allowed in self.may_hold.items():
            found = await read(blobs, name)
            assert found in allowed, f"{name} holds {found and len(found)} bytes"
            self.may_hold[name] = [found]


async def read(blobs: ContainerClient, name: str) -> bytes | None:
    try:
        download = await blobs.download_blob(name)
    except ResourceNotFoundError:
        return None
    return await download.readall()


async def write_and_kill(directory: Path, writers: list[Writer], seconds: float) -> None:
    async with store(directory) as child, container(child) as blobs, asyncio.TaskGroup() as group:
        for writer in writers:
            group.create_task(writer.write_until_killed(blobs))
        await asyncio.sleep(seconds)
        os.kill(child.pid, 9)


async def test_every_blob_whose_write_was_answered_outlives_kill_9(tmp_path: Path) -> None:
    writers = [Writer(number) for number in range(WRITERS)]
    for _ in range(2):
        await write_and_kill(tmp_path, writers, RANDOM.uniform(0.3, 1.2))
        async with store(tmp_path) as child, container(child) as blobs:
            for writer in writers:
                await writer.check(blobs)
    assert sum(len(writer.may_hold) for writer in writers) > WRITERS


async def test_metadata_named_like_a_field_of_the_store_itself_is_kept(tmp_path: Path) -> None:
    metadata = {"ttl": "1", "constraints": "2", "journal": "3"}
    async with store(tmp_path) as child, container(child) as blobs:
        await blobs.upload_blob("a", b"text", metadata=metadata)
    for _ in range(2):  # from the journal, then from the snapshot that its replay was saved to
        async with store(tmp_path) as child, container(child) as blobs:
            assert (await blobs.get_blob_client("a").get_blob_properties()).metadata == metadata


async def test_an_upload_that_was_never_committed_does_not_stand_in_the_way(tmp_path: Path) -> None:
    async with store(tmp_path) as child, container(child) as blobs:
        await blobs.get_blob_client("a").stage_block("0000", b"half of it")
        await blobs.upload_blob("a", b"whole", overwrite=False)
        assert await read(blobs, "a") == b"whole"


async def test_a_create_only_write_is_refused_after_a_kill_too(tmp_path: Path) -> None:
    async with store(tmp_path) as child, container(child) as blobs:
        await blobs.upload_blob("a", b"first")
        os.kill(child.pid, 9)
    async with store(tmp_path) as child, container(child) as blobs:
        with suppress(ResourceExistsError):
            await blobs.upload_blob("a", b"second")
        assert await read(blobs, "a") == b"first"
