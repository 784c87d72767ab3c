"""One suite for the blob adapter over a server and for the fake that the core's tests use."""

from __future__ import annotations

from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

import pytest
from azure.storage.blob.aio import BlobServiceClient

from tests.bench.light_blobs import LightBlobs
from tests.unit.core.calls import Calls
from tests.unit.core.fake_blobs import Account, FakeBlobs
from worker.blobs import Blobs, open_blobs
from worker.faults import (
    AlreadyCommitted,
    BlobChanged,
    BlobMissing,
    BlobTooLarge,
    ConfigurationFault,
    InfrastructureFault,
)
from worker.settings import ClientSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


APPEND_BLOCKS = 50_000  # an append blob takes no more


class Store(Protocol):
    """A store and how its append blobs are filled up."""

    blobs: Any

    def fill(self, blob: str) -> None: ...


class Real:
    def __init__(self, blobs: Blobs, server: LightBlobs) -> None:
        self.blobs, self._server = blobs, server

    def fill(self, blob: str) -> None:
        container, _, name = blob.partition("/")
        self._server.store.blobs(container)[name].blocks = APPEND_BLOCKS


class Fake:
    def __init__(self) -> None:
        self._account = Account()
        self.blobs = FakeBlobs(self._account, Calls())

    def fill(self, blob: str) -> None:
        self._account.write(blob, self._account.find(blob).data, appends=APPEND_BLOCKS)


@asynccontextmanager
async def served() -> AsyncIterator[tuple[Blobs, LightBlobs]]:
    async with LightBlobs() as server:
        settings = ClientSettings.model_validate({"storage_connection_string": server.connection_string})
        server.store.create_container("results")
        async with open_blobs(settings, None) as blobs:
            yield blobs, server


@pytest.fixture(params=["real", "fake"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[Store]:
    if request.param == "fake":
        yield Fake()
    else:
        async with served() as (blobs, server):
            yield Real(blobs, server)


@pytest.mark.parametrize("data", [b"", b"x", bytes(range(256)) * 20_000])
async def test_what_is_put_is_read_whole(store: Store, data: bytes) -> None:
    etag = await store.blobs.put("results/a/ü b?#%2e.bin", data, content_type="application/octet-stream")
    content = await store.blobs.read("results/a/ü b?#%2e.bin", limit=len(data))
    assert (content.data, content.etag) == (data, etag)


async def test_a_blob_over_the_limit_is_not_taken(store: Store) -> None:
    await store.blobs.put("results/a", b"12345")
    with pytest.raises(BlobTooLarge, match="5 bytes; 4 are taken"):
        await store.blobs.read("results/a", limit=4)


async def test_a_missing_blob_is_told(store: Store) -> None:
    for blob in ("results/no", "nowhere/no"):
        with pytest.raises(BlobMissing):
            await store.blobs.read(blob, limit=10)
    with pytest.raises(BlobMissing):
        await store.blobs.metadata("results/no")


async def test_a_pinned_version_is_read_or_refused(store: Store) -> None:
    etag = await store.blobs.put("results/a", b"1")
    assert (await store.blobs.read("results/a", limit=10, etag=etag)).data == b"1"
    await store.blobs.put("results/a", b"2")
    with pytest.raises(BlobChanged):
        await store.blobs.read("results/a", limit=10, etag=etag)


async def test_only_the_first_creates_a_blob_and_its_metadata_tell_who_it_was(store: Store) -> None:
    await store.blobs.create("results/a", b"first", metadata={"attempt": "1-0"})
    with pytest.raises(AlreadyCommitted):
        await store.blobs.create("results/a", b"second", metadata={"attempt": "2-0"})
    assert (await store.blobs.read("results/a", limit=10)).data == b"first"
    assert await store.blobs.metadata("results/a") == {"attempt": "1-0"}


async def test_a_conditional_put_overwrites_only_the_version_it_knows(store: Store) -> None:
    etag = await store.blobs.put("results/a", b"1")
    await store.blobs.put("results/a", b"2", if_match=etag, metadata={"attempt": "2-0"})
    with pytest.raises(AlreadyCommitted):
        await store.blobs.put("results/a", b"3", if_match=etag, metadata={"attempt": "3-0"})
    with pytest.raises(AlreadyCommitted):
        await store.blobs.put("results/missing", b"3", if_match=etag)
    assert (await store.blobs.read("results/a", limit=10)).data == b"2"
    assert await store.blobs.metadata("results/a") == {"attempt": "2-0"}


async def test_blobs_that_are_older_than_a_time_are_listed_and_deleted_once_or_twice() -> None:
    async with served() as (blobs, _):
        for name in ("marks/a", "marks/b", "other"):
            await blobs.create(f"results/{name}", b"")
        now = datetime.now(UTC)
        assert await blobs.older("results", "marks/", now - timedelta(days=1)) == []
        assert await blobs.older("results", "marks/", now + timedelta(days=1)) == ["marks/a", "marks/b"]
        for _ in range(2):
            await blobs.delete("results/marks/a")
        assert [name async for name in blobs.names("results", "")] == ["marks/b", "other"]


async def test_a_stream_is_put_without_its_length(store: Store) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for number in range(5):
            yield bytes([number]) * 1000

    await store.blobs.put("results/a", pieces())
    assert len((await store.blobs.read("results/a", limit=10_000)).data) == 5000


async def test_a_stream_that_breaks_off_leaves_no_blob(store: Store) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"begun"
        raise BlobMissing("the source")

    with pytest.raises(BlobMissing, match="the source"):
        await store.blobs.put("results/a", pieces())
    with pytest.raises(BlobMissing, match="results/a"):
        await store.blobs.read("results/a", limit=10)


async def test_appends_make_the_blob_and_add_to_it_until_it_is_full(store: Store) -> None:
    assert await store.blobs.append("results/b/p.jsonl", b"1\n")
    assert await store.blobs.append("results/b/p.jsonl", b"2\n")
    store.fill("results/b/p.jsonl")
    assert not await store.blobs.append("results/b/p.jsonl", b"3\n")
    assert (await store.blobs.read("results/b/p.jsonl", limit=10)).data == b"1\n2\n"


async def test_names_come_in_order_by_prefix(store: Store) -> None:
    for name in ("b/2", "b/1", "a/1", "c"):
        await store.blobs.put(f"results/{name}", b"")
    assert [name async for name in store.blobs.names("results", "b/")] == ["b/1", "b/2"]
    assert [name async for name in store.blobs.names("results", "no")] == []


async def test_a_results_container_that_is_not_there_is_a_matter_of_configuration() -> None:
    async with served() as (blobs, _):
        for write in (
            blobs.create("nowhere/a", b"", metadata={}),
            blobs.put("nowhere/a", b""),
            blobs.append("nowhere/a", b"x"),
        ):
            with pytest.raises(ConfigurationFault, match="JSWORKER_RESULTS_CONTAINER"):
                await write


async def test_a_store_out_of_reach_is_an_infrastructure_fault() -> None:
    async with LightBlobs() as server:
        connection = server.connection_string
    async with BlobServiceClient.from_connection_string(connection, retry_total=0) as service:
        with pytest.raises(InfrastructureFault, match="out of reach"):
            await Blobs(service).read("results/a", limit=10)
