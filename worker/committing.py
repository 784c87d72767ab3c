"""The commit: a create-only write of the result, after which nothing about the job can change by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import structlog
from pydantic import ValidationError

from worker.faults import AlreadyCommitted, BlobChanged, BlobMissing, CapacityFault, InfrastructureFault
from worker.inputs import Reads
from worker.patience import with_patience
from worker.result import Result, attempt_blob, result_blob

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import TypeVar

    from worker.inputs import Content
    from worker.progress import Progress

    T = TypeVar("T")

log = structlog.get_logger()
RESULT_BYTES = 64 << 20


class Store(Reads, Protocol):
    """What is needed of the blob store; see ``worker.blobs.Blobs``."""

    async def create(self, blob: str, data: bytes, *, metadata: dict[str, str] | None = None) -> str: ...  # noqa: D102

    async def put(  # noqa: D102
        self, blob: str, data: bytes, *, if_match: str | None = None, metadata: dict[str, str] | None = None
    ) -> str: ...

    async def metadata(self, blob: str) -> dict[str, str]: ...  # noqa: D102


class Committer:
    """Commits results and tells the batch's progress blob of each, at least once.

    Args:
        store: the blobs.
        container: of the results.
        progress: the batches' progress blobs.
        patience_seconds: how long a call waits in hand while the store is out of reach.
        on_told: hears the batch of each result that is told.
    """

    def __init__(
        self,
        store: Store,
        container: str,
        progress: Progress,
        patience_seconds: float,
        on_told: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._store, self._container, self._progress = store, container, progress
        self._patience, self._on_told = patience_seconds, on_told

    async def commit(self, result: Result, attempt: str, replaces: str | None = None) -> bool:
        """Write the result unless there is one; while the store is out of reach this waits in hand.

        A retried write whose first answer was lost finds its own result: the attempt in the blob's metadata
        tells it from another's. Another's stands, and is told to the progress blob in its place.
        Returns whether it is this one that stands.

        Args:
            result: what to commit.
            attempt: whose write it is; never the same twice.
            replaces: ETag of the one result that may be written over. It is kept beside the commit first.
        """
        blob = self._blob(result.batch, result.id)
        try:
            await self._write(result, attempt, replaces)
        except AlreadyCommitted:
            if not await self._is_own(blob, attempt):
                log.info("result_discarded", reason="another attempt has committed the job")
                await self.confirm(result.batch, result.id)
                return False
        await self._tell(result.batch, result.progress_line())
        return True

    async def confirm(self, batch: str, job_id: str, replaces: str | None = None) -> bool:
        """Whether the job is committed; if so its progress line is written again, lest it was lost.

        A result that may be replaced, by its ETag, counts for none.
        """
        standing = await self.standing(batch, job_id)
        if standing is None or standing.etag == replaces:
            return False
        try:
            line = Result.model_validate_json(standing.data).progress_line()
        except ValidationError:
            log.warning("committed_result_unreadable", blob=self._blob(batch, job_id))
        else:
            await self._tell(batch, line)
        return True

    async def is_committed(self, batch: str, job_id: str) -> bool:
        """Whether the job has a result, without reading it."""
        try:
            await self._patiently(lambda: self._store.metadata(self._blob(batch, job_id)))
        except BlobMissing:
            return False
        return True

    async def standing(self, batch: str, job_id: str) -> Content | None:
        """The committed result as it is stored; None when there is none."""
        blob = self._blob(batch, job_id)
        try:
            return await self._patiently(lambda: self._store.read(blob, limit=RESULT_BYTES))
        except BlobMissing:
            return None

    async def attempt(self, batch: str, job_id: str) -> str:
        """Which attempt the committed result is of; raises ``BlobMissing``."""
        return await self._attempt(self._blob(batch, job_id))

    async def _write(self, result: Result, attempt: str, replaces: str | None) -> None:
        blob, data = self._blob(result.batch, result.id), result.model_dump_json().encode()
        metadata = {"attempt": attempt}
        if replaces and await self._keep(result, attempt, replaces):
            await self._patiently(lambda: self._store.put(blob, data, if_match=replaces, metadata=metadata))
        else:
            await self._patiently(lambda: self._store.create(blob, data, metadata=metadata))

    async def _keep(self, result: Result, attempt: str, replaces: str) -> bool:
        """Copy the result that is to be replaced to where it stays; False when it is not there any more."""
        blob = self._blob(result.batch, result.id)
        kept = f"{self._container}/{attempt_blob(result.batch, result.id, attempt, 'replaced.json')}"
        try:
            old = await self._patiently(lambda: self._store.read(blob, limit=RESULT_BYTES, etag=replaces))
            await self._patiently(lambda: self._store.create(kept, old.data))
        except (BlobMissing, BlobChanged):
            return False
        except AlreadyCommitted:
            return True  # by this very call, whose first answer was lost
        return True

    async def _is_own(self, blob: str, attempt: str) -> bool:
        return await self._attempt(blob) == attempt

    async def _attempt(self, blob: str) -> str:
        metadata = await self._patiently(lambda: self._store.metadata(blob))
        return metadata.get("attempt", "")

    async def _tell(self, batch: str, line: bytes) -> None:
        await self._patiently(lambda: self._progress.add(batch, line))
        self._on_told(batch)

    async def _patiently(self, call: Callable[[], Awaitable[T]]) -> T:
        return await with_patience(call, self._patience, CapacityFault, InfrastructureFault)

    def _blob(self, batch: str, job_id: str) -> str:
        return f"{self._container}/{result_blob(batch, job_id)}"
