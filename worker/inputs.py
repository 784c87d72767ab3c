"""What a job runs on, fetched from Blob storage and checked before a session is taken."""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from worker.case import InlineCases
from worker.cases import wanted_runs
from worker.cases_file import checked, completed, load_cases
from worker.faults import BlobChanged, BlobMissing, BlobTooLarge, JobRejected
from worker.model import Blob, BlobFile, CodeBlob, InlineCode, PinnedBlob
from worker.strict_json import to_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable

    from worker.case import Case
    from worker.cases import WantedRun
    from worker.job import Job
    from worker.model import Limits, Text
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
class Bounds:
    """The limits of a run with the worker's defaults filled in."""

    timeout_seconds: float
    memory_mb: int
    output_bytes: int


@dataclass(frozen=True)
class Run:
    """One process of the program: what it may use and what it is given."""

    bounds: Bounds
    stdin: bytes | None = None
    args: tuple[str, ...] = ()


@dataclass(frozen=True)
class Inputs:
    """Everything a program is given, as bytes; a run for each case, or one where there are no cases."""

    code: bytes
    file_name: str
    runs: tuple[Run, ...]
    files: tuple[tuple[str, bytes], ...] = ()
    cases: tuple[Case, ...] = ()

    @property
    def code_sha256(self) -> str:
        """The digest of the program, hexadecimal."""
        return hashlib.sha256(self.code).hexdigest()


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

    def check(self, job: Job) -> None:
        """Refuse what the worker's limits and its allow-list of containers refuse; nothing is fetched."""
        for field, blob in _blobs_of(job):
            self._check_container(field, blob)
        if job.cases and job.mode == "cell":
            raise JobRejected("invalid_job", "cases need the mode 'program'", "cases")
        self._bounds(job.limits, "limits")

    async def fetch(self, job: Job) -> Inputs:
        """Read what the job refers to."""
        cases = await self._cases(job)
        wanted = list(wanted_runs(job, cases))
        bounds = [self._bounds(run.limits, f"{run.field}limits") for run in wanted]
        code = await self._code(job)
        files = tuple([await self._file(index, file) for index, file in enumerate(job.files)])
        stdins = await self._stdins(wanted, sum(len(data) for _, data in files))
        runs = [
            Run(limits, None if run.stdin is None else stdins[run.stdin], run.args)
            for run, limits in zip(wanted, bounds, strict=True)
        ]
        return Inputs(code, _file_name(job), tuple(runs), files, cases)

    async def _cases(self, job: Job) -> tuple[Case, ...]:
        if isinstance(job.cases, PinnedBlob):
            limit = self._settings.max_cases_bytes
            return load_cases(await self._read(job.cases.blob, "cases", limit, job.cases.etag)).cases
        if isinstance(job.cases, InlineCases):
            return completed(job.cases.inline).cases
        return checked(job.cases or ())

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

    async def _stdins(self, runs: list[WantedRun], size: int) -> dict[Text, bytes]:
        """What the runs read, each once, when so many bytes have been fetched before."""
        stdins: dict[Text, bytes] = {}
        for run in runs:
            if run.stdin is not None and run.stdin not in stdins:
                stdins[run.stdin] = await self._stdin(run.stdin, f"{run.field}stdin")
                size += len(stdins[run.stdin])
        if size > self._settings.max_input_bytes:
            raise JobRejected(
                "limit_exceeded", f"files and stdin have over {self._settings.max_input_bytes} bytes", "files"
            )
        return stdins

    async def _stdin(self, stdin: Text, field: str) -> bytes:
        if isinstance(stdin, str):
            return to_bytes(stdin)
        self._check_container(f"{field}.blob", stdin.blob)
        return await self._read(stdin.blob, field, self._settings.max_input_bytes)

    async def _read(self, blob: str, field: str, limit: int, etag: str | None = None) -> bytes:
        """A missing blob is looked for once more: it may have been written a moment after the message."""
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

    def _check_container(self, field: str, blob: str) -> None:
        container = blob.partition("/")[0]
        if container not in self._settings.code_containers:
            allowed = ", ".join(self._settings.code_containers)
            raise JobRejected(
                "container_not_allowed", f"the container {container!r} is not one of: {allowed}", field
            )

    def _bounds(self, limits: Limits, field: str) -> Bounds:
        return Bounds(
            timeout_seconds=self._limit(limits, field, "timeout_seconds"),
            memory_mb=int(self._limit(limits, field, "memory_mb")),
            output_bytes=int(self._limit(limits, field, "output_bytes")),
        )

    def _limit(self, limits: Limits, field: str, name: str) -> float:
        asked, maximum = getattr(limits, name), getattr(self._settings, f"max_{name}")
        if asked is not None and asked > maximum:
            raise JobRejected(
                "limit_exceeded", f"{asked} is above the maximum of {maximum}", f"{field}.{name}"
            )
        value: float = getattr(self._settings, f"default_{name}") if asked is None else asked
        return value


def _blobs_of(job: Job) -> Iterable[tuple[str, str]]:
    if isinstance(job.code, CodeBlob):
        yield "code.blob", job.code.blob
    if isinstance(job.stdin, Blob):
        yield "stdin.blob", job.stdin.blob
    if isinstance(job.cases, PinnedBlob):
        yield "cases.blob", job.cases.blob
    for index, file in enumerate(job.files):
        if isinstance(file, BlobFile):
            yield f"files.{index}.blob", file.blob


def _file_name(job: Job) -> str:
    """Where the job says that it lies, else at the top.

    Node goes by the extension where there is one that means something, and by the content of a ``.js``.
    """
    if job.code.path:
        return job.code.path
    blob = job.code.blob if isinstance(job.code, CodeBlob) else ""
    extension = blob.rpartition(".")[2]
    return f"main.{extension}" if extension in {"mjs", "cjs"} else "main.js"
