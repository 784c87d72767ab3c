"""Blobs and a queue in memory, with the rules of the real ones; either can be told to fail at a call."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING, Any

from worker.faults import AlreadyCommitted, BlobChanged, BlobMissing, BlobTooLarge, InfrastructureFault
from worker.inputs import Content
from worker.result import Producer, Result
from worker.seen import Seen

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence

    from worker.messages import Outgoing

MAX_BLOCK_BYTES = 4 << 20


class Calls:
    """Counts calls that change something, and fails from one of them on, as a crash would."""

    def __init__(self) -> None:
        self.made = 0
        self.last: int | None = None

    def make(self) -> None:
        if self.last is not None and self.made >= self.last:
            raise InfrastructureFault("crashed")
        self.made += 1


class MemoryBlobs:
    def __init__(self, calls: Calls | None = None) -> None:
        self.blobs: dict[str, Content] = {}
        self.reads: list[str] = []
        self.appends: Counter[str] = Counter()
        self.own: dict[str, dict[str, str]] = {}
        self.max_appends = 50_000
        self._calls = calls or Calls()
        self._etags = (f"etag-{number}" for number in count())

    async def read(self, blob: str, *, limit: int, etag: str | None = None) -> Content:
        self.reads.append(blob)
        if blob not in self.blobs:
            raise BlobMissing(blob)
        if len(self.blobs[blob].data) > limit:
            raise BlobTooLarge(blob)
        if etag not in {None, self.blobs[blob].etag}:
            raise BlobChanged(blob)
        return self.blobs[blob]

    async def create(
        self,
        blob: str,
        data: bytes,
        *,
        metadata: dict[str, str] | None = None,
        content_type: str = "application/json",
    ) -> str:
        if blob in self.blobs:
            raise AlreadyCommitted(blob)
        return self._write(blob, data, content_type, metadata)

    async def put(
        self,
        blob: str,
        data: bytes,
        *,
        if_match: str | None = None,
        metadata: dict[str, str] | None = None,
        content_type: str = "application/json",
    ) -> str:
        if if_match is not None and self.blobs[blob].etag != if_match:
            raise AlreadyCommitted(blob)
        return self._write(blob, data, content_type, metadata)

    async def metadata(self, blob: str) -> dict[str, str]:
        if blob not in self.blobs:
            raise BlobMissing(blob)
        return self.own.get(blob, {})

    async def append(self, blob: str, data: bytes) -> bool:
        assert len(data) <= MAX_BLOCK_BYTES
        if self.appends[blob] == self.max_appends:
            return False
        self.appends[blob] += 1
        standing = self.blobs[blob].data if blob in self.blobs else b""
        self._write(blob, standing + data, "application/x-ndjson")
        return True

    async def names(self, container: str, prefix: str) -> AsyncIterator[str]:
        for blob in sorted(self.blobs):
            if blob.startswith(f"{container}/{prefix}"):
                yield blob.removeprefix(f"{container}/")

    async def folders(self, container: str) -> list[str]:
        names = [name async for name in self.names(container, "")]
        return sorted({name.partition("/")[0] for name in names if "/" in name})

    async def created(self, container: str, prefix: str) -> dict[str, datetime]:
        """Every blob is as old as its place in the order in which they were created."""
        order = {
            blob: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=n) for n, blob in enumerate(self.blobs)
        }
        return {name: order[f"{container}/{name}"] async for name in self.names(container, prefix)}

    def text(self, blob: str) -> str:
        return self.blobs[blob].data.decode()

    def _write(
        self, blob: str, data: bytes, content_type: str, metadata: dict[str, str] | None = None
    ) -> str:
        assert content_type
        self._calls.make()
        self.own[blob] = metadata or {}
        self.blobs[blob] = Content(data, next(self._etags))
        return self.blobs[blob].etag


class MemoryQueue:
    """Keeps what was sent; a message id is taken once, as with duplicate detection."""

    def __init__(self, calls: Calls | None = None) -> None:
        self.messages: dict[str, bytes] = {}
        self.properties: dict[str, dict[str | bytes, Any]] = {}
        self.sent = 0
        self._calls = calls or Calls()

    async def send(self, messages: Sequence[Outgoing]) -> None:
        self._calls.make()
        for message in messages:
            self.sent += 1
            self.messages.setdefault(message.message_id, message.body)
            self.properties.setdefault(message.message_id, dict[str | bytes, Any](message.properties.items()))


class MemoryBrowser:
    """What a look at the queue shows; ``then`` changes it when the looks before are over."""

    def __init__(self, *messages: Seen, dead: Sequence[Seen] = ()) -> None:
        self.queue, self.dead = list(messages), list(dead)
        self.looks: list[bool] = []
        self.then: Callable[[MemoryBrowser], object] = lambda _: None

    async def messages(self, *, dead: bool = False) -> AsyncGenerator[Seen]:
        self.looks.append(dead)
        for message in list(self.dead if dead else self.queue):
            yield message

    async def pause(self, _seconds: float) -> None:
        """In place of the time between two looks."""
        self.then(self)


def message(job_id: str, batch: str = "hw1", number: int = 1, **fields: Any) -> Seen:  # noqa: ANN401 - Seen's
    """A job's message as it is seen."""
    body = json.dumps({"version": 1, "id": job_id, "batch": batch, "code": {"inline": "1"}}).encode()
    return Seen(sequence_number=number, message_id=f"{batch}/{job_id}", body=body, **fields)


def result(job_id: str, batch: str = "hw1", **fields: Any) -> Result:  # noqa: ANN401 - Result's
    """A result as a worker commits it."""
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    whole: dict[str, Any] = {"status": "succeeded", "worker": Producer(version="1", instance="here")} | fields
    return Result(id=job_id, batch=batch, started_at=moment, finished_at=moment, **whole)
