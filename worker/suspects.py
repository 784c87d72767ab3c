"""Suspects: jobs that workers died with, twice. They run alone, and leave a mark while they do.

A delivery count tells how often a message came, not why it came again: after a crash, or because a worker
handed it back in order. So a suspect's run is marked by a blob that is removed when the worker is through
with it in whatever way; a mark that stays is a crash.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Protocol

import structlog

from worker.faults import AlreadyCommitted, ServiceFault
from worker.result import attempt_blob

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from worker.delivery import Delivery
    from worker.job import Job

log = structlog.get_logger()
DELIVERIES_BEFORE_SUSPICION = 2
MARKS_BEFORE_GIVING_UP = 3  # with the deliveries before suspicion: five crashes
UNMARK_SECONDS = 5.0


class Marks(Protocol):
    """What is needed of the blob store; see ``worker.blobs.Blobs``."""

    async def create(self, blob: str, data: bytes) -> str: ...  # noqa: D102 - the adapter says

    async def delete(self, blob: str) -> None: ...  # noqa: D102

    def names(self, container: str, prefix: str) -> AsyncIterator[str]: ...  # noqa: D102


class Company:
    """Who may run together: many, or one alone.

    One that wants to be alone waits for those that run, and those that come later wait for it.
    """

    def __init__(self) -> None:
        self._running = 0
        self._alone = asyncio.Lock()
        self._changed = asyncio.Event()

    @asynccontextmanager
    async def joined(self, *, alone: bool) -> AsyncIterator[None]:
        """Run in company, or alone, inside the context."""
        if alone:
            async with self._alone:
                while self._running:
                    self._changed.clear()
                    await self._changed.wait()
                yield
        else:
            if self._alone.locked():
                async with self._alone:
                    self._running += 1
            else:
                self._running += 1
            try:
                yield
            finally:
                self._running -= 1
                self._changed.set()


class Suspects:
    """Marks the runs of suspects in the results container, and counts the marks that stayed."""

    def __init__(self, store: Marks, container: str) -> None:
        self._store, self._container = store, container

    @staticmethod
    def is_one(delivery: Delivery) -> bool:
        """Whether a job may be what its workers died of."""
        return delivery.delivery_count >= DELIVERIES_BEFORE_SUSPICION

    async def crashes(self, delivery: Delivery, job: Job) -> int:
        """How many runs of the job as a suspect ended with their worker."""
        prefix = attempt_blob(job.batch, job.id, f"suspect-{delivery.origin}-", "").rstrip("/")
        return len([name async for name in self._store.names(self._container, prefix)])

    @asynccontextmanager
    async def marked(self, delivery: Delivery, job: Job) -> AsyncIterator[None]:
        """The run inside the context leaves a mark if the process dies in it, and only then."""
        attempt = f"suspect-{delivery.origin}-{delivery.sequence_number}-{delivery.delivery_count}"
        blob = f"{self._container}/{attempt_blob(job.batch, job.id, attempt, 'mark')}"
        try:
            await self._store.create(blob, b"")
        except AlreadyCommitted:
            log.debug("suspect_marked_before", blob=blob)  # this very write, whose answer was lost
        try:
            yield
        finally:
            await asyncio.shield(self._unmark(blob))

    async def _unmark(self, blob: str) -> None:
        try:
            async with asyncio.timeout(UNMARK_SECONDS):
                await self._store.delete(blob)
        except (ServiceFault, TimeoutError) as error:
            log.warning("suspect_mark_left", reason=str(error))
