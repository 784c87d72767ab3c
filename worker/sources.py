"""What a job refers to, read from Blob storage; every fault of the job's own names its field."""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING, Protocol

from worker.faults import BlobChanged, BlobMissing, BlobTooLarge, JobRejected
from worker.model import Blob, BlobFile, InlineCode
from worker.strict_json import to_bytes

if TYPE_CHECKING:
    from worker.model import Code, File, Text
    from worker.settings import WorkerSettings

LOOK_AGAIN_SECONDS = 2.0


class Cached(Protocol):
    """What is needed of the store; see ``worker.inputs.CodeCache``."""

    async def read(self, blob: str, *, limit: int, etag: str | None) -> bytes: ...  # noqa: D102


class Sources:
    """Reads from the containers that are allowed, within the worker's bounds.

    All that read raise ``JobRejected``: with ``container_not_allowed``, ``limit_exceeded``, ``…_not_found``
    or what tells that a pin does not hold.
    """

    def __init__(self, cache: Cached, settings: WorkerSettings) -> None:
        self._cache, self._settings = cache, settings

    def check_container(self, field: str, blob: str) -> None:
        """Refuse a blob outside of the allow-list."""
        container = blob.partition("/")[0]
        if container not in self._settings.code_containers:
            allowed = ", ".join(self._settings.code_containers)
            raise JobRejected(
                "container_not_allowed", f"the container {container!r} is not one of: {allowed}", field
            )

    async def program(self, code: Code, field: str) -> bytes:
        """A program's code, with its digest checked."""
        limit = self._settings.max_code_bytes
        if isinstance(code, InlineCode):
            data = to_bytes(code.inline)
            if len(data) > limit:
                raise JobRejected("limit_exceeded", f"the program has over {limit} bytes", f"{field}.inline")
            return data
        data = await self.blob(code.blob, field, limit, code.etag)
        if code.sha256 and hashlib.sha256(data).hexdigest() != code.sha256:
            raise JobRejected(
                "digest_mismatch", f"{code.blob} has not the digest it is pinned to", f"{field}.sha256"
            )
        return data

    async def text(self, text: Text, field: str) -> bytes:
        """What a process reads."""
        if isinstance(text, str):
            return to_bytes(text)
        return await self.blob(text.blob, field, self._settings.max_input_bytes)

    async def blob(self, blob: str, field: str, limit: int, etag: str | None = None) -> bytes:
        """A missing blob is looked for once more: it may have been written a moment after the message."""
        self.check_container(f"{field}.blob", blob)
        try:
            try:
                return await self._cache.read(blob, limit=limit, etag=etag)
            except BlobMissing:
                await asyncio.sleep(LOOK_AGAIN_SECONDS)
                return await self._cache.read(blob, limit=limit, etag=etag)
        except BlobMissing:
            what = next(part for part in reversed(field.split(".")) if not part.isdigit())
            raise JobRejected(f"{what}_not_found", f"there is no blob {blob}", f"{field}.blob") from None
        except BlobTooLarge as error:
            raise JobRejected("limit_exceeded", str(error), f"{field}.blob") from None
        except BlobChanged:
            raise JobRejected(
                "etag_mismatch", f"{blob} is not the version it is pinned to", f"{field}.etag"
            ) from None


def content_of(file: File) -> Text:
    """A file without its path."""
    return Blob(blob=file.blob) if isinstance(file, BlobFile) else file.inline
