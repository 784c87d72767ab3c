"""A batch: where its blobs lie, and its manifest, the list of its jobs, which stands before any is sent."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from worker.faults import AlreadyCommitted, BlobMissing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Sequence

    from worker.inputs import Content
    from worker.messages import Outgoing

MAX_MANIFEST_BYTES = 1 << 30
MAX_MESSAGE_ID = 128
JSON_LINES = "application/x-ndjson"


class BatchError(Exception):
    """What was asked of a batch cannot be done; the message says why and what to do."""


class Store(Protocol):
    """The part of ``worker.blobs.Blobs`` that a client of batches uses."""

    async def read(self, blob: str, *, limit: int) -> Content:
        """The whole blob, of at most ``limit`` bytes."""

    async def create(self, blob: str, data: bytes, *, content_type: str = ...) -> str:
        """Write a blob that does not exist yet; returns its ETag."""

    async def put(
        self, blob: str, data: bytes, *, if_match: str | None = None, content_type: str = ...
    ) -> str:
        """Write a blob over the version given, or any; returns its ETag."""

    async def append(self, blob: str, data: bytes) -> bool:
        """Append to a blob, made if missing; False when it takes no more."""

    def names(self, container: str, prefix: str) -> AsyncIterator[str]:
        """The names of a container's blobs that begin with a prefix."""


class Queue(Protocol):
    """The part of ``worker.servicebus.Sender`` that submitting uses."""

    async def send(self, messages: Sequence[Outgoing]) -> None:
        """Send messages in as few batches as they fit in."""


@dataclass(frozen=True)
class Folder:
    """The blobs of one batch that are not a job's own, in the results container."""

    container: str
    batch: str

    @property
    def manifest(self) -> str:
        """The manifest, as ``container/name``."""
        return f"{self.container}/{self.batch}/_batch/manifest.jsonl"

    @property
    def jobs_prefix(self) -> str:
        """What the names of the records of messages that are about to be sent begin with."""
        return f"{self.batch}/_batch/jobs-"

    @property
    def sent_prefix(self) -> str:
        """What the names of the records of sent messages begin with."""
        return f"{self.batch}/_batch/sent-"

    @property
    def progress_prefix(self) -> str:
        """What the names of the records of finished jobs begin with."""
        return f"{self.batch}/_batch/progress-"

    def result(self, job_id: str) -> str:
        """A job's commit, as ``container/name``."""
        return f"{self.container}/{self.batch}/{job_id}/result.json"


@dataclass(frozen=True)
class Entry:
    """One job in a manifest; ``digest`` is the SHA-256 of the canonical job."""

    id: str
    digest: str
    metadata: dict[str, Any] = field(default_factory=dict)

    def line(self) -> bytes:
        """This entry in the manifest: one JSON object and a line end."""
        return json.dumps(self.__dict__, separators=(",", ":")).encode() + b"\n"


def digest(document: dict[str, Any]) -> str:
    """The SHA-256 of a job, whatever the order of its fields."""
    return hashlib.sha256(json.dumps(document, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def check_fits(batch: str, ids: Iterable[str]) -> None:
    """The queue takes message ids of 128 characters, and a job's has its batch and its own name.

    Raises:
        BatchError: a job's would be longer.
    """
    longest = max(ids, key=len, default="")
    if len(f"{batch}/{longest}") > MAX_MESSAGE_ID:
        raise BatchError(
            f"the names of the batch {batch!r} and of its job {longest!r} have more than "
            f"{MAX_MESSAGE_ID - 1} characters together: submit to a batch of a shorter name"
        )


async def read_manifest(store: Store, folder: Folder) -> list[Entry]:
    """The jobs of a batch, in the order they were submitted.

    Raises:
        BatchError: there is no such batch.
    """
    try:
        content = await store.read(folder.manifest, limit=MAX_MANIFEST_BYTES)
    except BlobMissing:
        raise BatchError(
            f"there is no batch {folder.batch!r} in the container {folder.container!r}: check the name, "
            "or submit it first"
        ) from None
    return _entries(content.data)


async def register(store: Store, folder: Folder, entries: Iterable[Entry]) -> None:
    """Write a batch's manifest, or add what is new to the one that stands.

    Raises:
        BatchError: the batch has a job of the same id that is not the same job.
    """
    wanted = list(entries)
    while True:
        try:
            content = await store.read(folder.manifest, limit=MAX_MANIFEST_BYTES)
        except BlobMissing:
            standing, etag = [], None
        else:
            standing, etag = _entries(content.data), content.etag
        merged = _merged(folder.batch, standing, wanted)
        if etag is not None and len(merged) == len(standing):
            return
        if await _written(store, folder, merged, etag):
            return


async def _written(store: Store, folder: Folder, entries: list[Entry], etag: str | None) -> bool:
    data = b"".join(entry.line() for entry in entries)
    try:
        if etag is None:
            await store.create(folder.manifest, data, content_type=JSON_LINES)
        else:
            await store.put(folder.manifest, data, if_match=etag, content_type=JSON_LINES)
    except AlreadyCommitted:
        return False  # somebody else submits to this batch: look again
    return True


def _merged(batch: str, standing: list[Entry], wanted: list[Entry]) -> list[Entry]:
    digests = {entry.id: entry.digest for entry in standing}
    changed = [entry.id for entry in wanted if digests.get(entry.id, entry.digest) != entry.digest]
    if changed:
        named = ", ".join(changed[:10]) + (f" and {len(changed) - 10} more" if len(changed) > 10 else "")  # noqa: PLR2004
        raise BatchError(
            f"the batch {batch!r} has other jobs of the same id: {named}. A job that was submitted cannot be "
            "changed: submit to a batch of another name (--batch), or under other ids"
        )
    return standing + [entry for entry in wanted if entry.id not in digests]


def _entries(data: bytes) -> list[Entry]:
    return [Entry(**json.loads(line)) for line in data.splitlines()]
