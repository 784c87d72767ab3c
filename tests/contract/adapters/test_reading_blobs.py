"""Reads at the edges of size, through the unmodified SDK."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr

from tests.bench.light_blobs import LightBlobs
from worker.blobs import PIECE_BYTES, open_blobs
from worker.faults import BlobTooLarge
from worker.settings import ClientSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from worker.blobs import Blobs


@pytest.fixture
async def blobs() -> AsyncIterator[Blobs]:
    async with LightBlobs() as server:
        settings = ClientSettings(storage_connection_string=SecretStr(server.connection_string))
        async with open_blobs(settings, None) as adapter:
            await adapter._service.create_container("inputs")
            yield adapter


@pytest.mark.parametrize("size", [0, 1, PIECE_BYTES, PIECE_BYTES + 1, 2 * PIECE_BYTES + 7])
async def test_a_blob_of_any_size_is_read_whole(blobs: Blobs, size: int) -> None:
    data = bytes(n % 251 for n in range(size))
    etag = await blobs.put("inputs/x", data)
    content = await blobs.read("inputs/x", limit=size, etag=etag)
    assert (content.data == data, content.etag) == (True, etag)


async def test_a_blob_of_one_byte_too_many_is_refused(blobs: Blobs) -> None:
    await blobs.put("inputs/x", b"1234")
    with pytest.raises(BlobTooLarge, match="4 bytes"):
        await blobs.read("inputs/x", limit=3)
