"""The faults of the local blob store, each through the storage SDK."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from azure.core.exceptions import (
    AzureError,
    HttpResponseError,
    ResourceExistsError,
    ServiceRequestError,
    ServiceResponseError,
)
from azure.storage.blob.aio import BlobServiceClient, ContainerClient

from worker.local import azurite
from worker.local.supervised import Child, StackError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

KEY = "a2V5IG9mIGEgdGVzdA=="
BODY = b"0123456789" * 1000

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Store:
    """A blob store whose faults can be changed; `blobs` is a container of it, without any retries."""

    def __init__(self, folder: Path, child: Child, blobs: ContainerClient) -> None:
        self.blobs = blobs
        self._folder = folder
        self._child = child

    async def have(self, **faults: object) -> None:
        """Have these faults, and no others, from now on."""
        await self.write(json.dumps({"blobs": faults}), "faults_changed")

    async def write(self, text: str, news: str) -> None:
        """Write the file and wait until the store has told this of it."""
        told = self.told(news)
        (self._folder / "faults.json").write_text(text)
        while self.told(news) == told:
            assert self._child.pid
            await asyncio.sleep(0.02)

    def told(self, event: str) -> int:
        return self._child.command.log.read_text().count(f'"event":"{event}"')


@asynccontextmanager
async def started(folder: Path, faults: str = "{}") -> AsyncIterator[Store]:
    (folder / "faults.json").write_text(faults)
    command = azurite.command(folder, 0, KEY, folder / "log", folder / "faults.json")
    async with AsyncExitStack() as stack:
        child = await Child.start(command)
        stack.push_async_callback(child.stop)
        await asyncio.to_thread(azurite.create_containers, child.port, KEY, ["results"])
        address = azurite.connection_string(child.port, KEY)
        service = await stack.enter_async_context(
            BlobServiceClient.from_connection_string(address, retry_total=0)
        )
        yield Store(folder, child, service.get_container_client("results"))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Store]:
    async with started(tmp_path_factory.mktemp("blobs")) as store:
        yield store


@pytest_asyncio.fixture(loop_scope="module")
async def store(shared: Store) -> AsyncIterator[Store]:
    yield shared
    await shared.have()


async def read(store: Store, name: str) -> bytes:
    content: bytes = await (await store.blobs.download_blob(name)).readall()
    return content


async def exists(store: Store, name: str) -> bool:
    return await store.blobs.get_blob_client(name).exists()


@pytest.mark.parametrize(
    ("switch", "status", "code"),
    [("error_rate", 500, "InternalError"), ("busy_rate", 503, "ServerBusy")],
)
async def test_a_request_can_fail_before_anything_happened(
    store: Store, switch: str, status: int, code: str
) -> None:
    await store.have(**{switch: 1})
    with pytest.raises(HttpResponseError) as raised:
        await store.blobs.upload_blob(switch, BODY)
    assert (raised.value.status_code, vars(raised.value)["error_code"]) == (status, code)
    await store.have()
    assert not await exists(store, switch)


async def test_the_answer_can_be_lost_after_the_write_happened(store: Store) -> None:
    await store.have(error_after_rate=1)
    with pytest.raises((ServiceResponseError, ServiceRequestError)):
        await store.blobs.upload_blob("lost", BODY, overwrite=False)
    await store.have()
    assert await read(store, "lost") == BODY
    with pytest.raises(ResourceExistsError):
        await store.blobs.upload_blob("lost", BODY, overwrite=False)


async def test_an_answer_can_be_late(store: Store) -> None:
    await store.have(latency_seconds=0.4)
    began = time.monotonic()
    await store.blobs.upload_blob("late", BODY)
    assert time.monotonic() - began >= 0.4
    assert await read(store, "late") == BODY


async def test_a_body_can_be_slow_and_whole(store: Store) -> None:
    await store.blobs.upload_blob("slow", BODY)
    await store.have(slow_body_rate=1, slow_body_seconds=0.6)
    began = time.monotonic()
    assert await read(store, "slow") == BODY
    assert time.monotonic() - began >= 0.5


async def test_a_body_can_be_cut_in_the_middle(store: Store) -> None:
    await store.blobs.upload_blob("cut", BODY)
    await store.have(cut_body_rate=1)
    with pytest.raises(AzureError, match="received 5000 of 10000"):
        await read(store, "cut")
    await store.blobs.upload_blob("without-a-body", BODY)
    await store.have()
    assert await read(store, "cut") == await read(store, "without-a-body") == BODY


async def test_the_store_can_be_down_and_come_back_with_all_it_had(store: Store) -> None:
    await store.blobs.upload_blob("kept", BODY)
    await store.have(down=True)
    with pytest.raises((ServiceRequestError, ServiceResponseError)):
        await store.blobs.upload_blob("refused", BODY)
    await store.have()
    assert await read(store, "kept") == BODY
    assert not await exists(store, "refused")


async def test_with_a_rate_of_a_half_some_requests_fail(store: Store) -> None:
    await store.write('{"seed": 3, "blobs": {"busy_rate": 0.5}}', "faults_changed")
    failed = 0
    before = store.told("fault_injected")
    for number in range(60):
        try:
            await store.blobs.upload_blob(f"half/{number}", b"x")
        except AzureError:
            failed += 1
    assert 10 < failed < 50
    assert store.told("fault_injected") - before == failed


async def test_a_file_broken_meanwhile_changes_nothing(store: Store) -> None:
    await store.have(busy_rate=1)
    await store.write('{"blobs": {"busy_rate"', "faults_refused")
    with pytest.raises(HttpResponseError):
        await store.blobs.upload_blob("x", BODY)


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ('{"blobs": {"typo": 1}}', "blobs.typo"),
        ('{"blobs": {"busy_rate": 2}}', "blobs.busy_rate"),
        ('{"blobs": {"down": 1}}', "blobs.down"),
        ('{"blobs": []}', "blobs: "),
        ("[]", "the file"),
    ],
)
async def test_a_wrong_file_keeps_it_from_starting_and_the_field_is_told(
    tmp_path: Path, text: str, field: str
) -> None:
    with pytest.raises(StackError, match=field):
        async with started(tmp_path, text):
            pass
