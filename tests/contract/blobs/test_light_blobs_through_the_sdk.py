from __future__ import annotations

import json
import subprocess
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from azure.core import MatchConditions
from azure.core.exceptions import (
    HttpResponseError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
)
from azure.storage.blob import BlobBlock, BlobType
from azure.storage.blob.aio import BlobServiceClient

from tests.bench.light_blobs import LightBlobs

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from azure.storage.blob.aio import ContainerClient


def _code(error: HttpResponseError) -> str:
    code: str = vars(error)["error_code"]  # set by the SDK, unknown to its types
    return code


@asynccontextmanager
async def _container() -> AsyncIterator[ContainerClient]:
    async with (
        LightBlobs() as blobs,
        BlobServiceClient.from_connection_string(blobs.connection_string) as service,
    ):
        yield await service.create_container("results")


@pytest.mark.parametrize("content", [b"", b"print(1)", bytes(range(256)) * 4096])
async def test_a_blob_reads_back_as_it_was_written_with_its_metadata(content: bytes) -> None:
    async with _container() as container:
        await container.upload_blob("hw1/ä b+c%20/x.js", content, metadata={"attempt": "a1"})
        reading = await container.download_blob("hw1/ä b+c%20/x.js")
        assert await reading.readall() == content
        assert reading.properties.metadata == {"attempt": "a1"}
        assert reading.properties.size == len(content)


async def test_a_range_of_a_blob_is_read_alone() -> None:
    async with _container() as container:
        await container.upload_blob("x", b"0123456789")
        reading = await container.download_blob("x", offset=3, length=4)
        assert await reading.readall() == b"3456"
        tail = await container.download_blob("x", offset=8, length=100)
        assert await tail.readall() == b"89"


async def test_the_second_create_only_write_is_told_that_the_blob_exists() -> None:
    async with _container() as container:
        await container.upload_blob("result.json", b"first", overwrite=False)
        with pytest.raises(ResourceExistsError) as raised:
            await container.upload_blob("result.json", b"second", overwrite=False)
        assert _code(raised.value) == "BlobAlreadyExists"
        reading = await container.download_blob("result.json")
        assert await reading.readall() == b"first"


async def test_a_write_under_an_old_etag_is_refused_and_under_the_newest_done() -> None:
    async with _container() as container:
        blob = container.get_blob_client("x")
        old = (await blob.upload_blob(b"1"))["etag"]
        new = (await blob.upload_blob(b"2", overwrite=True))["etag"]
        unmodified = MatchConditions.IfNotModified
        with pytest.raises(ResourceModifiedError):
            await blob.upload_blob(b"3", overwrite=True, etag=old, match_condition=unmodified)
        await blob.upload_blob(b"4", overwrite=True, etag=new, match_condition=unmodified)
        assert await (await blob.download_blob()).readall() == b"4"


async def test_a_read_of_an_unchanged_blob_under_its_etag_is_answered_with_304() -> None:
    async with _container() as container:
        blob = container.get_blob_client("x")
        etag = (await blob.upload_blob(b"1"))["etag"]
        modified = MatchConditions.IfModified
        with pytest.raises(HttpResponseError) as raised:
            await blob.download_blob(etag=etag, match_condition=modified)
        assert raised.value.status_code == 304
        await blob.upload_blob(b"2", overwrite=True)
        reading = await blob.download_blob(etag=etag, match_condition=modified)
        assert await reading.readall() == b"2"


async def test_what_is_not_there_is_told_by_its_code() -> None:
    async with _container() as container:
        with pytest.raises(ResourceNotFoundError) as blob:
            await container.download_blob("missing")
        assert _code(blob.value) == "BlobNotFound"
        with pytest.raises(ResourceNotFoundError):
            await container.get_blob_client("missing").get_blob_properties()
        assert not await container.get_blob_client("missing").exists()
        await container.delete_container()
        with pytest.raises(ResourceNotFoundError) as gone:
            await container.upload_blob("x", b"")
        assert _code(gone.value) == "ContainerNotFound"


async def test_an_append_blob_grows_by_whole_blocks_and_minds_its_conditions() -> None:
    async with _container() as container:
        blob = container.get_blob_client("progress.jsonl")
        await blob.create_append_blob(match_condition=MatchConditions.IfMissing)
        with pytest.raises(ResourceExistsError):
            await blob.create_append_blob(match_condition=MatchConditions.IfMissing)
        await blob.append_block(b"one\n")
        second = await blob.append_block(b"two\n", appendpos_condition=4)
        assert (second["blob_append_offset"], second["blob_committed_block_count"]) == ("4", 2)
        with pytest.raises(HttpResponseError) as raised:
            await blob.append_block(b"three\n", appendpos_condition=4)
        assert _code(raised.value) == "AppendPositionConditionNotMet"
        assert await (await blob.download_blob()).readall() == b"one\ntwo\n"
        assert (await blob.get_blob_properties()).blob_type == BlobType.APPENDBLOB


async def test_blocks_become_a_blob_when_their_list_is_committed() -> None:
    async with _container() as container:
        blob = container.get_blob_client("big")
        await blob.stage_block("a", b"11")
        await blob.stage_block("b", b"22")
        assert not await blob.exists()
        await blob.commit_block_list([BlobBlock("b"), BlobBlock("a")])
        assert await (await blob.download_blob()).readall() == b"2211"


async def test_a_blob_above_the_single_put_size_is_written_in_blocks() -> None:
    async with (
        LightBlobs() as blobs,
        BlobServiceClient.from_connection_string(
            blobs.connection_string, max_single_put_size=1024, max_block_size=1024
        ) as service,
    ):
        container = await service.create_container("results")
        await container.upload_blob("big", b"x" * 5000)
        assert await (await container.download_blob("big")).readall() == b"x" * 5000


async def test_a_listing_has_the_names_under_the_prefix_in_order_over_several_pages() -> None:
    async with _container() as container:
        for name in ("b/2", "a/1", "b/1<&>", "b/3", "c"):
            await container.upload_blob(name, b"xy")
        found = [blob async for blob in container.list_blobs(name_starts_with="b/", results_per_page=2)]
        assert [(blob.name, blob.size) for blob in found] == [("b/1<&>", 2), ("b/2", 2), ("b/3", 2)]


async def test_a_deleted_blob_is_gone() -> None:
    async with _container() as container:
        await container.upload_blob("x", b"1")
        await container.delete_blob("x")
        with pytest.raises(ResourceNotFoundError):
            await container.delete_blob("x")


async def test_a_container_is_created_once() -> None:
    async with _container() as container:
        assert await container.exists()
        with pytest.raises(ResourceExistsError):
            await container.create_container()


def test_as_a_process_it_says_where_it_listens_and_ends_when_its_stdin_does() -> None:
    command = [sys.executable, "-m", "tests.bench.light_blobs"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:  # noqa: S603 - ours
        assert process.stdout
        assert process.stdin
        ready = json.loads(process.stdout.readline())
        assert ready["connection_string"].startswith("DefaultEndpointsProtocol=http;")
        process.stdin.close()
        assert process.wait(10) == 0
