"""The blobs that chains are made of: each call is waited for while the store is out of reach."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from worker.faults import AlreadyCommitted, CapacityFault, InfrastructureFault
from worker.inputs import Content, Reads
from worker.patience import with_patience

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import TypeVar

    T = TypeVar("T")


class Store(Reads, Protocol):
    """What is needed of the blob store; see ``worker.blobs.Blobs``."""

    async def create(self, blob: str, data: bytes, *, content_type: str = ...) -> str: ...  # noqa: D102

    async def append(self, blob: str, data: bytes) -> bool: ...  # noqa: D102


class Shelf:
    """Blobs by ``container/name``. All methods raise ``ServiceFault`` when the patience is at its end."""

    def __init__(self, store: Store, patience_seconds: float) -> None:
        self._store, self._patience = store, patience_seconds

    async def read(self, blob: str, limit: int) -> bytes:
        """The whole blob; raises ``BlobMissing`` or ``BlobTooLarge``."""
        return (await self._patiently(lambda: self._store.read(blob, limit=limit))).data

    async def keep(self, blob: str, data: bytes, content_type: str) -> str:
        """Create a blob whose name tells its content, unless it is there; returns its ETag."""
        try:
            return await self._patiently(lambda: self._store.create(blob, data, content_type=content_type))
        except AlreadyCommitted:
            standing: Content = await self._patiently(lambda: self._store.read(blob, limit=len(data)))
            return standing.etag

    async def append(self, blob: str, line: bytes) -> None:
        """Append a line, at least once."""
        if not await self._patiently(lambda: self._store.append(blob, line)):
            raise InfrastructureFault(f"{blob} takes no more lines")

    async def _patiently(self, call: Callable[[], Awaitable[T]]) -> T:
        return await with_patience(call, self._patience, CapacityFault, InfrastructureFault)
