"""A blob account in memory, with the rules of the real one as the adapter shows them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING

from worker.clock import now
from worker.faults import AlreadyCommitted, BlobChanged, BlobMissing, BlobTooLarge, LeaseHeld
from worker.inputs import Content
from worker.permit_leases import LeasedBlob

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.unit.core.calls import Calls


@dataclass(frozen=True)
class Stored:
    data: bytes
    etag: str
    metadata: dict[str, str]
    appends: int = 0


@dataclass(frozen=True)
class BlobLease:
    id: str
    seconds: float
    ends_at: float

    @property
    def has_ended(self) -> bool:
        return now() >= self.ends_at


@dataclass
class Account:
    """Outlives the processes that write to it."""

    blobs: dict[str, Stored] = field(default_factory=dict)
    leases: dict[str, BlobLease] = field(default_factory=dict)
    max_appends: int = 50_000
    _numbers: count[int] = field(default_factory=count)

    def write(self, blob: str, data: bytes, metadata: dict[str, str] | None = None, appends: int = 0) -> str:
        etag = f'"{next(self._numbers)}"'
        self.blobs[blob] = Stored(data, etag, metadata or {}, appends)
        return etag

    def find(self, blob: str) -> Stored:
        if blob not in self.blobs:
            raise BlobMissing(blob)
        return self.blobs[blob]

    def mark(self, blob: str, metadata: dict[str, str]) -> None:
        """Change the metadata, which a write would replace together with the data."""
        self.blobs[blob] = replace(self.find(blob), metadata=metadata)

    def lease(self, blob: str, lease: str, seconds: float) -> None:
        self.find(blob)
        standing = self.leases.get(blob)
        if standing and standing.id != lease and not standing.has_ended:
            raise LeaseHeld(blob)
        self.leases[blob] = BlobLease(lease, seconds, now() + seconds)

    def find_lease(self, blob: str, lease: str) -> BlobLease:
        self.find(blob)
        standing = self.leases.get(blob)
        if standing is None or standing.id != lease:
            raise LeaseHeld(blob)
        return standing


class FakeBlobs:
    """One process's access to an account."""

    def __init__(self, account: Account, calls: Calls) -> None:
        self._account, self._calls = account, calls

    async def read(self, blob: str, *, limit: int, etag: str | None = None) -> Content:
        async with self._calls.call("read"):
            found = self._account.find(blob)
            if etag and found.etag != etag:
                raise BlobChanged(blob)
            if len(found.data) > limit:
                raise BlobTooLarge(f"{blob} has {len(found.data)} bytes; {limit} are taken")
            return Content(found.data, found.etag)

    async def create(
        self,
        blob: str,
        data: bytes,
        *,
        metadata: dict[str, str] | None = None,
        content_type: str = "application/json",
    ) -> str:
        del content_type
        async with self._calls.call("create"):
            if blob in self._account.blobs:
                raise AlreadyCommitted(blob)
            return self._account.write(blob, data, metadata)

    async def put(
        self,
        blob: str,
        data: bytes | AsyncIterator[bytes],
        *,
        if_match: str | None = None,
        metadata: dict[str, str] | None = None,
        content_type: str = "application/json",
    ) -> str:
        del content_type
        async with self._calls.call("put"):
            whole = data if isinstance(data, bytes) else b"".join([piece async for piece in data])
            standing = self._account.blobs.get(blob)
            if if_match and (standing is None or standing.etag != if_match):
                raise AlreadyCommitted(blob)
            return self._account.write(blob, whole, metadata)

    async def append(self, blob: str, data: bytes) -> bool:
        async with self._calls.call("append"):
            standing = self._account.blobs.get(blob) or Stored(b"", "", {})
            has_room = standing.appends < self._account.max_appends
            if has_room:
                self._account.write(blob, standing.data + data, appends=standing.appends + 1)
        return has_room

    async def metadata(self, blob: str) -> dict[str, str]:
        async with self._calls.call("metadata"):
            return self._account.find(blob).metadata

    async def delete(self, blob: str) -> None:
        async with self._calls.call("delete"):
            self._account.blobs.pop(blob, None)

    async def names(self, container: str, prefix: str) -> AsyncIterator[str]:
        async with self._calls.call("names"):
            found = sorted(name for name in self._account.blobs if name.startswith(f"{container}/{prefix}"))
        for name in found:
            yield name.partition("/")[2]

    async def older(self, container: str, prefix: str, than: datetime) -> list[str]:
        """All of them, but for a time long ago: nothing here has an age."""
        is_long_ago = than < datetime.now(UTC) - timedelta(days=1)
        return [] if is_long_ago else [name async for name in self.names(container, prefix)]

    async def leased(self, container: str, prefix: str) -> list[LeasedBlob]:
        async with self._calls.call("leased"):
            return [
                LeasedBlob(name.partition("/")[2], self._is_leased(name), blob.metadata)
                for name, blob in sorted(self._account.blobs.items())
                if name.startswith(f"{container}/{prefix}")
            ]

    async def acquire_lease(self, blob: str, lease: str, seconds: int) -> None:
        async with self._calls.call("acquire_lease"):
            self._account.lease(blob, lease, seconds)

    async def renew_lease(self, blob: str, lease: str) -> None:
        async with self._calls.call("renew_lease"):
            standing = self._account.find_lease(blob, lease)
            self._account.lease(blob, lease, standing.seconds)

    async def mark_leased(self, blob: str, lease: str, metadata: dict[str, str]) -> None:
        async with self._calls.call("mark_leased"):
            if self._account.find_lease(blob, lease).has_ended:
                raise LeaseHeld(blob)
            self._account.mark(blob, metadata)

    async def release_lease(self, blob: str, lease: str) -> None:
        async with self._calls.call("release_lease"):
            self._account.find_lease(blob, lease)
            del self._account.leases[blob]

    def _is_leased(self, blob: str) -> bool:
        lease = self._account.leases.get(blob)
        return lease is not None and not lease.has_ended
