"""Cancelling: a marker blob says that a job, or a batch, is not wanted any more; workers look for it."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, Protocol, cast

import structlog

from worker.clock import now
from worker.faults import AlreadyCommitted, BlobMissing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

log = structlog.get_logger()
MARKERS = "_cancelled/"  # no batch has a name that begins so
LOOK_SECONDS = 2.0
LISTING_SECONDS = 60.0


class JobCancelled(Exception):
    """Somebody cancelled the job: it is to end as ``cancelled``, and nothing of it may go on."""


class Lists(Protocol):
    """What is needed of the blob store to know what is cancelled; see ``worker.blobs.Blobs``."""

    def names(self, container: str, prefix: str) -> AsyncIterator[str]: ...  # noqa: D102 - the adapter says


class Creates(Protocol):
    """What is needed of the blob store to cancel; see ``worker.blobs.Blobs``."""

    async def create(self, blob: str, data: bytes, *, content_type: str = ...) -> str: ...  # noqa: D102


class Reads(Protocol):
    """What is needed of the blob store to know of one batch; see ``worker.blobs.Blobs``."""

    async def read(self, blob: str, *, limit: int) -> object: ...  # noqa: D102


def marker(container: str, batch: str, job_id: str | None = None) -> str:
    """The blob, as ``container/name``, whose presence cancels a batch, or one of its jobs."""
    return f"{container}/{MARKERS}{batch}" + (f"/{job_id}" if job_id else "")


async def mark(store: Creates, blob: str) -> None:
    """Write a marker; done too when it is there."""
    with suppress(AlreadyCommitted):
        await store.create(blob, b"", content_type="text/plain")


async def is_marked(store: Reads, container: str, batch: str) -> bool:
    """Whether a batch as a whole is cancelled."""
    try:
        await store.read(marker(container, batch), limit=0)
    except BlobMissing:
        return False
    return True


class Cancellations:
    """What is cancelled, as of the last look at the markers, and the running jobs that a marker stops."""

    def __init__(self, store: Lists, container: str) -> None:
        self._store, self._container = store, container
        self._marked: frozenset[str] = frozenset()
        self._running: set[_Running] = set()
        self._failing = False
        self._looked = asyncio.Event()
        self._looked.set()  # nobody waits for a look while nobody looks

    async def run(self) -> None:
        """Look at the markers every two seconds; while that fails, what was seen last counts."""
        self._looked.clear()
        while True:
            try:
                async with asyncio.timeout(LISTING_SECONDS):
                    await self._look()
            except Exception as error:  # noqa: BLE001 - whatever it is, a worker works on without cancelling
                self._say_once(error)
            else:
                self._failing = False
            self._looked.set()
            await asyncio.sleep(LOOK_SECONDS)

    def is_cancelled(self, batch: str, job_id: str) -> bool:
        """Whether the job, or its batch, is marked."""
        return bool(self._marked) and (batch in self._marked or f"{batch}/{job_id}" in self._marked)

    @asynccontextmanager
    async def stopping(self, batch: str, job_id: str) -> AsyncIterator[None]:
        """A block that is cancelled when the job's marker appears, or not entered when it is there already.

        A block that ends in spite of that has ended: what it came to counts. A cancellation from outside
        (the lock is lost, the worker stops) remains one, also when both come together. A worker that has
        just begun looks at the markers before it enters a block.

        Raises:
            JobCancelled: the block was stopped for the marker's sake, or not begun.
        """
        await self._looked.wait()
        if self.is_cancelled(batch, job_id):
            raise JobCancelled
        deadline = asyncio.timeout(None)
        try:
            async with deadline:
                running = _Running(batch, job_id, deadline)
                self._running.add(running)
                try:
                    yield
                finally:
                    self._running.discard(running)
        except TimeoutError:
            if not deadline.expired():
                raise
            raise JobCancelled from None

    async def _look(self) -> None:
        names = [name async for name in self._store.names(self._container, MARKERS)]
        self._marked = frozenset(name.removeprefix(MARKERS) for name in names)
        for running in [job for job in self._running if self.is_cancelled(job.batch, job.job_id)]:
            running.stop()

    def _say_once(self, error: Exception) -> None:
        if not self._failing:
            log.warning("cancellations_unknown", reason=str(error) or type(error).__name__)
        self._failing = True


class _Running:
    """A job's block, and the deadline that is set to now when it is to be stopped."""

    def __init__(self, batch: str, job_id: str, deadline: asyncio.Timeout) -> None:
        self.batch, self.job_id = batch, job_id
        self._deadline, self._task = deadline, cast("asyncio.Task[Any]", asyncio.current_task())
        self._cancelled_before = self._task.cancelling()

    def stop(self) -> None:
        """Cancel the block, but not a second time, and not while it cleans up after another cancellation."""
        if self._task.cancelling() == self._cancelled_before and not self._deadline.expired():
            self._deadline.reschedule(now())
