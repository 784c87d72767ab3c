"""What a job runs on, fetched from Blob storage and checked before a session is taken."""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from worker.faults import BlobChanged, BlobMissing, BlobTooLarge, JobRejected
from worker.job import Blob, BlobFile, CodeBlob, InlineCode, to_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable

    from worker.job import Job
    from worker.settings import WorkerSettings

LOOK_AGAIN_SECONDS = 2.0
CACHE_BYTES = 32 << 20


@dataclass(frozen=True)
class Content:
    """A blob's bytes and the ETag they were read under."""

    data: bytes
    etag: str


class Reads(Protocol):
    """What is needed of the blob store; see ``worker.blobs.Blobs``."""

    async def read(self, blob: str, *, limit: int, etag: str | None = None) -> Content: ...  # noqa: D102


@dataclass(frozen=True)
class Inputs:
    """Everything a program is given, as bytes."""

    code: bytes
    file_name: str
    files: tuple[tuple[str, bytes], ...] = ()
    stdin: bytes | None = None

    @property
    def code_sha256(self) -> str:
        """The digest of the program, hexadecimal."""
        return hashlib.sha256(self.code).hexdigest()


@dataclass(frozen=True)
class Bounds:
    """A job's limits with the worker's defaults filled in."""

    timeout_seconds: float
    memory_mb: int
    output_bytes: int


class CodeCache:
    """Programs by blob and ETag: a batch that shares one pinned program reads it once."""

    def __init__(self, blobs: Reads, capacity: int = CACHE_BYTES) -> None:
        self._blobs, self._capacity = blobs, capacity
        self._kept: OrderedDict[tuple[str, str], bytes] = OrderedDict()
        self._size = 0

    async def read(self, blob: str, *, limit: int, etag: str | None) -> bytes:
        """The blob's bytes, from memory if this version was read before; raises as ``Blobs.read`` does."""
        kept = self._kept.get((blob, etag)) if etag else None
        if kept is not None:
            return kept
        content = await self._blobs.read(blob, limit=limit, etag=etag)
        if etag:
            self._keep((blob, etag), content.data)
        return content.data

    def _keep(self, key: tuple[str, str], data: bytes) -> None:
        self._size += len(data) - len(self._kept.pop(key, b""))
        self._kept[key] = data
        while self._size > self._capacity:
            self._size -= len(self._kept.popitem(last=False)[1])


class InputFetcher:
    """Fetches a job's inputs; every fault of the job's own is a ``JobRejected`` that names the field."""

    def __init__(self, blobs: Reads, settings: WorkerSettings) -> None:
        self._blobs, self._settings, self._cache = blobs, settings, CodeCache(blobs)

    def check(self, job: Job) -> Bounds:
        """Apply the worker's limits and its allow-list of containers; nothing is fetched."""
        for field, blob in _blobs_of(job):
            container = blob.partition("/")[0]
            if container not in self._settings.code_containers:
                allowed = ", ".join(self._settings.code_containers)
                raise JobRejected(
                    "container_not_allowed", f"the container {container!r} is not one of: {allowed}", field
                )
        return Bounds(
            timeout_seconds=self._limit(job, "timeout_seconds"),
            memory_mb=int(self._limit(job, "memory_mb")),
            output_bytes=int(self._limit(job, "output_bytes")),
        )

    async def fetch(self, job: Job) -> Inputs:
        """Read what the job refers to."""
        code = await self._code(job)
        files = [await self._file(index, file) for index, file in enumerate(job.files)]
        stdin = await self._stdin(job)
        if isinstance(job.cases, Blob):
            await self._read(job.cases.blob, "cases", self._settings.max_cases_bytes)
        if sum(len(data) for _, data in files) + len(stdin or b"") > self._settings.max_input_bytes:
            raise JobRejected(
                "limit_exceeded", f"files and stdin have over {self._settings.max_input_bytes} bytes", "files"
            )
        return Inputs(code, _file_name(job), tuple(files), stdin)

    async def _code(self, job: Job) -> bytes:
        limit = self._settings.max_code_bytes
        if isinstance(job.code, InlineCode):
            code = to_bytes(job.code.inline)
            if len(code) > limit:
                raise JobRejected("limit_exceeded", f"the program has over {limit} bytes", "code.inline")
            return code
        pin = job.code
        code = await self._read(pin.blob, "code", limit, pin.etag)
        if pin.sha256 and hashlib.sha256(code).hexdigest() != pin.sha256:
            raise JobRejected(
                "digest_mismatch", f"{pin.blob} has not the digest it is pinned to", "code.sha256"
            )
        return code

    async def _file(self, index: int, file: object) -> tuple[str, bytes]:
        if isinstance(file, BlobFile):
            limit = self._settings.max_input_bytes
            return file.path, await self._read(file.blob, f"files.{index}", limit)
        return file.path, to_bytes(file.inline)  # type: ignore[attr-defined] # an InlineFile

    async def _stdin(self, job: Job) -> bytes | None:
        if isinstance(job.stdin, Blob):
            return await self._read(job.stdin.blob, "stdin", self._settings.max_input_bytes)
        return None if job.stdin is None else to_bytes(job.stdin)

    async def _read(self, blob: str, field: str, limit: int, etag: str | None = None) -> bytes:
        """A missing blob is looked for once more: it may have been written a moment after the message."""
        try:
            try:
                return await self._cache.read(blob, limit=limit, etag=etag)
            except BlobMissing:
                await asyncio.sleep(LOOK_AGAIN_SECONDS)
                return await self._cache.read(blob, limit=limit, etag=etag)
        except BlobMissing:
            raise JobRejected(
                f"{field.partition('.')[0]}_not_found", f"there is no blob {blob}", f"{field}.blob"
            ) from None
        except BlobTooLarge as error:
            raise JobRejected("limit_exceeded", str(error), f"{field}.blob") from None
        except BlobChanged:
            raise JobRejected(
                "etag_mismatch", f"{blob} is not the version it is pinned to", f"{field}.etag"
            ) from None

    def _limit(self, job: Job, name: str) -> float:
        asked, maximum = getattr(job.limits, name), getattr(self._settings, f"max_{name}")
        if asked is not None and asked > maximum:
            raise JobRejected(
                "limit_exceeded", f"{asked} is above the maximum of {maximum}", f"limits.{name}"
            )
        value: float = getattr(self._settings, f"default_{name}") if asked is None else asked
        return value


def _blobs_of(job: Job) -> Iterable[tuple[str, str]]:
    if isinstance(job.code, CodeBlob):
        yield "code.blob", job.code.blob
    if isinstance(job.stdin, Blob):
        yield "stdin.blob", job.stdin.blob
    if isinstance(job.cases, Blob):
        yield "cases.blob", job.cases.blob
    for index, file in enumerate(job.files):
        if isinstance(file, BlobFile):
            yield f"files.{index}.blob", file.blob


def _file_name(job: Job) -> str:
    """Node goes by the extension where there is one that means something, and by the content of a ``.js``."""
    blob = job.code.blob if isinstance(job.code, CodeBlob) else ""
    extension = blob.rpartition(".")[2]
    return f"main.{extension}" if extension in {"mjs", "cjs"} else "main.js"
