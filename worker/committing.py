"""The commit: a create-only write of the result, after which nothing about the job can change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import structlog
from pydantic import ValidationError

from worker.faults import AlreadyCommitted, BlobMissing, CapacityFault, InfrastructureFault
from worker.inputs import Reads
from worker.patience import with_patience
from worker.result import Result, result_blob

if TYPE_CHECKING:
    from worker.progress import Progress

log = structlog.get_logger()
RESULT_BYTES = 64 << 20
_PASSING = (CapacityFault, InfrastructureFault)


class Store(Reads, Protocol):
    """What is needed of the blob store; see ``worker.blobs.Blobs``."""

    async def create(self, blob: str, data: bytes, *, metadata: dict[str, str]) -> str: ...  # noqa: D102

    async def metadata(self, blob: str) -> dict[str, str]: ...  # noqa: D102


class Committer:
    """Commits results and tells the batch's progress blob of each, at least once."""

    def __init__(self, store: Store, container: str, progress: Progress, patience_seconds: float) -> None:
        self._store, self._container, self._progress = store, container, progress
        self._patience = patience_seconds

    async def commit(self, result: Result, attempt: str) -> None:
        """Write the result unless there is one; while the store is out of reach this waits in hand.

        A retried write whose first answer was lost finds its own result: the attempt in the blob's metadata
        tells it from another's. Another's stands, and is told to the progress blob in its place.
        """
        blob = self._blob(result.batch, result.id)
        data = result.model_dump_json().encode()
        try:
            await with_patience(
                lambda: self._store.create(blob, data, metadata={"attempt": attempt}),
                self._patience,
                *_PASSING,
            )
        except AlreadyCommitted:
            metadata = await with_patience(lambda: self._store.metadata(blob), self._patience, *_PASSING)
            if metadata.get("attempt") != attempt:
                log.info("result_discarded", reason="another attempt has committed the job")
                await self.confirm(result.batch, result.id)
                return
        await self._tell(result.batch, result.progress_line())

    async def confirm(self, batch: str, job_id: str) -> bool:
        """Whether the job is committed; if so its progress line is written again, lest it was lost."""
        blob = self._blob(batch, job_id)
        try:
            content = await with_patience(
                lambda: self._store.read(blob, limit=RESULT_BYTES), self._patience, *_PASSING
            )
        except BlobMissing:
            return False
        try:
            line = Result.model_validate_json(content.data).progress_line()
        except ValidationError:
            log.warning("committed_result_unreadable", blob=blob)
        else:
            await self._tell(batch, line)
        return True

    async def _tell(self, batch: str, line: bytes) -> None:
        await with_patience(lambda: self._progress.add(batch, line), self._patience, *_PASSING)

    def _blob(self, batch: str, job_id: str) -> str:
        return f"{self._container}/{result_blob(batch, job_id)}"
