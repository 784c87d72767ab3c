"""Submitting: programs and large inputs go to blobs, messages to records and to the queue.

A chunk of messages is recorded, sent, and recorded as sent, in this order: what was sent can be sent again
without its sources, and what is not known as sent is sent again, which the job's message id makes harmless.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from worker.batch import BatchError, Folder, Queue, Store, check_fits, register
from worker.cancelling import marker
from worker.faults import AlreadyCommitted, BlobMissing, BlobTooLarge
from worker.fitting import BYTES, INPUTS, JAVASCRIPT, JSON, MAX_MESSAGE_BYTES, Part, encoded, fitted
from worker.messages import Outgoing
from worker.records import Records

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Sequence

    from worker.candidate import Candidate

UPLOADS = 8
CHUNK = 64


@dataclass(frozen=True)
class Submitted:
    """How many messages of a batch were sent now, and how many had been before."""

    sent: int
    before: int


class Submission:
    """One batch being submitted: blobs to a store, messages to a queue."""

    def __init__(self, store: Store, queue: Queue, folder: Folder) -> None:
        self._store, self._queue, self._folder = store, queue, folder
        self._uploads = asyncio.Semaphore(UPLOADS)
        self._cases: dict[str, str] = {}

    async def run(
        self, candidates: Sequence[Candidate], on_sent: Callable[[int], None] = lambda _: None
    ) -> Submitted:
        """Send what the batch's records do not have as sent; may be run again after a crash at any point.

        Those that have a problem are registered and no more: see ``worker.rejecting``.

        Raises:
            BatchError: the batch was cancelled, has other jobs of the same id, or a job fits no message.
        """
        check_fits(self._folder.batch, [candidate.entry.id for candidate in candidates])
        await self._check_wanted()
        await register(self._store, self._folder, [candidate.entry for candidate in candidates])
        await self._upload_cases(candidates)
        records = Records(self._store, self._folder)
        before = await records.sent()
        usable = [candidate for candidate in candidates if candidate.problem is None]
        waiting = [candidate for candidate in usable if candidate.entry.id not in before]
        for start in range(0, len(waiting), CHUNK):
            chunk = waiting[start : start + CHUNK]
            messages = await _all(map(self._message, chunk))
            ids = [candidate.entry.id for candidate in chunk]
            await records.send(self._queue, dict(zip(ids, messages, strict=True)))
            on_sent(start + len(messages))
        return Submitted(len(waiting), len(usable) - len(waiting))

    async def _check_wanted(self) -> None:
        batch = self._folder.batch
        try:
            await self._store.read(marker(self._folder.container, batch), limit=0)
        except BlobMissing:
            return
        raise BatchError(
            f"the batch {batch!r} was cancelled, its jobs would not run: submit to a batch of another name"
        )

    async def _upload_cases(self, candidates: Iterable[Candidate]) -> None:
        """Each cases file once; its jobs are pinned to it, so that a worker reads it once for all."""
        for cases in {candidate.cases for candidate in candidates if candidate.cases}:
            blob = cases.blob(self._folder.batch)
            self._cases[blob] = await self._upload(blob, cases.data, JSON)

    async def _message(self, candidate: Candidate) -> Outgoing:
        async with self._uploads:
            document, blobs = candidate.load()
            etags = {blob: await self._upload(blob, data, _type_of(blob)) for blob, data in blobs.items()}
            match document.get("code"):
                case {"blob": str(blob), **code} if blob in etags:
                    document["code"] = {**code, "blob": blob, "etag": etags[blob]}
            match document.get("cases"):
                case {"blob": str(blob), **rest} if blob in self._cases and not rest:
                    document["cases"] = {"blob": blob, "etag": self._cases[blob]}
            body = encoded(await self._fitted(document))
        return Outgoing(body=body, message_id=f"{self._folder.batch}/{candidate.entry.id}")

    async def _fitted(self, document: dict[str, Any]) -> dict[str, Any]:
        """The job with as many of its large parts in blobs as it takes to fit a message."""

        async def upload(part: Part) -> tuple[str, str]:
            blob = f"{INPUTS}/{self._folder.batch}/{document['id']}/{part.name}"
            return blob, await self._upload(blob, part.data, part.content_type)

        document = await fitted(document, MAX_MESSAGE_BYTES, upload)
        if (size := len(encoded(document))) > MAX_MESSAGE_BYTES:
            raise BatchError(
                f"the job {document['id']!r} fits no message: {size:,} bytes are left when its code, stdin, "
                f"files and cases are put into blobs, and {MAX_MESSAGE_BYTES:,} are taken; make its args, "
                "env or metadata smaller"
            )
        return document

    async def _upload(self, blob: str, data: bytes, content_type: str) -> str:
        """Create a blob, or find it as an earlier run left it: a message that was sent then has its ETag."""
        try:
            return await self._store.create(blob, data, content_type=content_type)
        except AlreadyCommitted:
            return await self._same(blob, data)

    async def _same(self, blob: str, data: bytes) -> str:
        try:
            content = await self._store.read(blob, limit=len(data))
        except BlobTooLarge:
            content = None
        if content is None or content.data != data:
            raise BatchError(
                f"the blob {blob} is there already and is something else: submit to a batch of another name"
            )
        return content.etag


def _type_of(blob: str) -> str:
    return JAVASCRIPT if blob.endswith((".js", ".mjs", ".cjs")) else BYTES


async def _all(messages: Iterable[Coroutine[None, None, Outgoing]]) -> list[Outgoing]:
    """Await them together; the first failure ends the others and is raised alone."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(message) for message in messages]
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None
    return [task.result() for task in tasks]
