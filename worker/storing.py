"""What a program left, put where the job's owner finds it: into the result, or into blobs beside it."""

from __future__ import annotations

import json
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Protocol

from worker.faults import CapacityFault, InfrastructureFault, SessionFileMissing
from worker.patience import with_patience
from worker.result import CollectedFile, Stream, attempt_blob

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Mapping

    from worker.job import Job
    from worker.lease import Lease
    from worker.ran import Captured, Ran
    from worker.settings import WorkerSettings

BYTES = "application/octet-stream"


class Writes(Protocol):
    """What is needed of the blob store; see ``worker.blobs.Blobs``."""

    async def put(self, blob: str, data: bytes | AsyncIterator[bytes], *, content_type: str) -> str: ...  # noqa: D102


class Stored:
    """The streams and files of one attempt, in their final form.

    Files that lie in the session must be taken while it is there; the rest can wait until the permit is back.
    """

    def __init__(self, blobs: Writes, settings: WorkerSettings, job: Job, attempt: str) -> None:
        self._blobs, self._inline = blobs, settings.max_inline_output_bytes
        self._patience, self._most = settings.wait_in_hand_seconds, settings.max_collect_bytes
        self._container, self._job, self._attempt = settings.results_container, job, attempt
        self.streams: dict[str, Stream] = {}
        self.files: list[CollectedFile] = []
        self.missing: list[str] = []
        self.hidden_blob: str | None = None

    async def take_from_session(self, ran: Ran, lease: Lease) -> None:
        """Store what lies in the session, streaming: its size does not count in memory."""
        for name, captured in _streams(ran):
            if captured.name:
                self.streams[name] = await self._stream_or_none(lease, name, captured)
        for index, (path, captured) in enumerate(ran.files):
            if captured.name:
                await self._file(index, path, lease.download(captured.name, captured.size))
        for index, path in enumerate(ran.unmeasured):
            await self._file(index, path, lease.download(path, self._most + 1, exact=False))

    async def take_from_memory(self, ran: Ran) -> None:
        """Store what came with the answer."""
        for name, captured in _streams(ran):
            if captured.data is not None:
                self.streams[name] = await self._stream(name, captured.data, captured)
        for index, (path, captured) in enumerate(ran.files):
            if captured.data is not None:
                await self._file(index, path, captured.data)

    async def take_hidden(self, details: Mapping[str, Any]) -> None:
        """Store what hidden cases left, if anything, apart from the result that is handed out."""
        if details:
            self.hidden_blob = self._blob("hidden.json")
            await self._put(self.hidden_blob, json.dumps(details).encode())

    async def _stream(self, name: str, data: bytes, captured: Captured) -> Stream:
        """Text that is whole and valid needs no blob; one that is cut or not UTF-8 keeps its bytes in one."""
        text = data[: self._inline].decode("utf-8", "replace")
        is_whole = len(data) <= self._inline
        blob = None
        if not is_whole or text.encode() != data:
            blob = self._blob(name)
            await self._put(blob, data)
        return Stream(text=text, bytes=captured.size, truncated=captured.truncated or not is_whole, blob=blob)

    async def _stream_or_none(self, lease: Lease, name: str, captured: Captured) -> Stream:
        """A later run of the program may have removed what an earlier one left."""
        try:
            return await self._stream_from(lease, name, captured)
        except SessionFileMissing:
            return Stream(bytes=captured.size, truncated=True)

    async def _stream_from(self, lease: Lease, name: str, captured: Captured) -> Stream:
        pieces = lease.download(captured.name or "", captured.size)
        if captured.size <= self._inline:
            return await self._stream(name, b"".join([piece async for piece in pieces]), captured)
        blob, head = self._blob(name), bytearray()
        await self._put(blob, _noting(pieces, head, self._inline))
        return Stream(text=head.decode("utf-8", "replace"), bytes=captured.size, truncated=True, blob=blob)

    async def _file(self, index: int, path: str, data: bytes | AsyncGenerator[bytes]) -> None:
        name = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "_" for c in path)[-100:].rstrip(
            "."
        )
        blob = self._blob(f"files/{index:03d}-{name}")
        count = _Count(self._most)
        try:
            await self._put(blob, data if isinstance(data, bytes) else count.of(data))
        except SessionFileMissing:
            self.missing.append(path)
        except _TooBig:
            self.missing.append(f"{path} (more than {self._most} bytes)")
        else:
            size = len(data) if isinstance(data, bytes) else count.bytes
            self.files.append(CollectedFile(path=path, blob=blob, bytes=size))

    async def _put(self, blob: str, data: bytes | AsyncGenerator[bytes]) -> None:
        """While the store is out of reach, what is in memory waits; what streams in can be put only once."""
        if not isinstance(data, bytes):
            async with aclosing(data):
                await self._blobs.put(blob, data, content_type=BYTES)
            return
        faults = (CapacityFault, InfrastructureFault)
        await with_patience(lambda: self._blobs.put(blob, data, content_type=BYTES), self._patience, *faults)

    def _blob(self, name: str) -> str:
        return f"{self._container}/{attempt_blob(self._job.batch, self._job.id, self._attempt, name)}"


class _TooBig(Exception):
    """A file has more bytes than files may have."""


class _Count:
    """How many bytes have passed."""

    def __init__(self, most: int) -> None:
        self.bytes, self._most = 0, most

    async def of(self, pieces: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
        """Pass the pieces on; raises ``_TooBig`` when they are too many."""
        async with aclosing(pieces):
            async for piece in pieces:
                self.bytes += len(piece)
                if self.bytes > self._most:
                    raise _TooBig
                yield piece


def _streams(ran: Ran) -> tuple[tuple[str, Captured], ...]:
    return (("stdout", ran.stdout), ("stderr", ran.stderr))


async def _noting(pieces: AsyncGenerator[bytes], head: bytearray, limit: int) -> AsyncGenerator[bytes]:
    """Pass the pieces on and keep the first bytes of them."""
    async with aclosing(pieces):
        async for piece in pieces:
            head += piece[: limit - len(head)]
            yield piece
