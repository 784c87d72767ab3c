"""One permit as a lease on its blob: acquired, renewed in time, swept of what was left, given back."""

from __future__ import annotations

import asyncio
import random
import uuid
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol
from urllib.parse import quote

import structlog

from worker.clock import now
from worker.faults import AlreadyCommitted, BlobMissing, ExecutionLost, LeaseHeld, ServiceFault

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

log = structlog.get_logger()
HOLDER = "holder"
TRY_SECONDS = 10.0  # an answer that takes longer is not waited for
SWEEP_SECONDS = 30.0
LONGEST_PAUSE_SECONDS = 30.0
HOLDER_CHARS = 200
OUTAGE = (ServiceFault, TimeoutError)


class Store(Protocol):
    """What is needed of blob storage; see ``worker.blobs.Blobs``."""

    async def create(self, blob: str, data: bytes) -> str: ...  # noqa: D102 - the adapter says

    async def metadata(self, blob: str) -> dict[str, str]: ...  # noqa: D102

    async def acquire_lease(self, blob: str, lease: str, seconds: int) -> None: ...  # noqa: D102

    async def renew_lease(self, blob: str, lease: str) -> None: ...  # noqa: D102

    async def mark_leased(self, blob: str, lease: str, metadata: dict[str, str]) -> None: ...  # noqa: D102

    async def release_lease(self, blob: str, lease: str) -> None: ...  # noqa: D102


class Pool(Protocol):
    """What is needed of the session pool; see ``worker.sessions.SessionPool``."""

    async def identifiers(self, permit: int) -> list[str]: ...  # noqa: D102 - the adapter says

    async def release(self, permit: int, identifier: str) -> bool: ...  # noqa: D102


class Identifiers(Protocol):
    """Tells the sessions of a permit; see ``worker.session_leases.Identifiers``."""

    def of_permit(self, identifier: str, permit: int) -> bool: ...  # noqa: D102


class PermitLease:
    """A lease on the blob of one permit, from the moment it was asked for.

    The blob's metadata names the holder from before the permit is used until it is given back in order. So
    who acquires a lease and finds a name knows that sessions may be left, and that nobody else removes them.
    """

    def __init__(self, store: Store, blob: str, index: int, seconds: float) -> None:
        self._store, self._blob, self._seconds = store, blob, int(seconds)
        self._id = str(uuid.uuid4())
        self._asked_at = now()
        self.index = index

    @property
    def deadline(self) -> float:
        """When it counts as lost, on the loop's clock; the rest of its length is for those who must stop."""
        return self._asked_at + self._seconds * 4 / 5

    async def acquire(self) -> None:
        """Take the lease, of a blob that is made if missing.

        Raises:
            LeaseHeld: another has it.
            ServiceFault: or ``TimeoutError``: not taken, or so late that it counts as not taken.
        """
        async with asyncio.timeout(TRY_SECONDS):
            try:
                await self._store.acquire_lease(self._blob, self._id, self._seconds)
            except BlobMissing:
                with suppress(AlreadyCommitted):
                    await self._store.create(self._blob, b"")
                await self._store.acquire_lease(self._blob, self._id, self._seconds)

    async def keep(self) -> None:
        """Renew it at each quarter of its length; returns only by raising.

        Raises:
            LeaseHeld: it is another's.
            TimeoutError: it could not be renewed in time.
        """
        # the first one early and at random, so that the leases acquired together are not renewed together
        wait = self._seconds / 4 * random.uniform(0.5, 1)  # noqa: S311 - jitter
        while True:
            await asyncio.sleep(max(0, self._asked_at + wait - now()))
            self._asked_at = await self._until_deadline(lambda: self._store.renew_lease(self._blob, self._id))
            wait = self._seconds / 4

    async def mark(self, holder: str) -> bool:
        """Write the holder's name; tells whether there was one, so that its sessions may be left.

        Raises:
            LeaseHeld: it is another's.
            TimeoutError: the store did not answer in time.
        """
        names: list[bool] = []

        async def mark() -> None:
            names[:] = [HOLDER in await self._store.metadata(self._blob)]
            name = {HOLDER: quote(holder, safe="")[:HOLDER_CHARS]}
            await self._store.mark_leased(self._blob, self._id, name)

        # a first try may have written the name itself: then it is taken for another's, which costs a sweep
        await self._until_deadline(mark)
        return names[0]

    async def give_back(self) -> None:
        """Return it in order: no session of it is left. What fails is left to its next holder."""
        try:
            await self._until_deadline(lambda: self._store.mark_leased(self._blob, self._id, {}))
            async with asyncio.timeout(TRY_SECONDS):
                await self._store.release_lease(self._blob, self._id)
        except (LeaseHeld, *OUTAGE) as error:
            log.info("permit_lease_left_to_expire", permit=self.index, reason=str(error))
        else:
            log.info("permit_lease_given_back", permit=self.index)

    async def let_go(self) -> None:
        """Give up one that was never used; what its last holder left is still the next one's to see to."""
        try:
            async with asyncio.timeout(TRY_SECONDS):
                await self._store.release_lease(self._blob, self._id)
        except (LeaseHeld, *OUTAGE) as error:
            log.info("permit_lease_left_to_expire", permit=self.index, reason=str(error))

    async def _until_deadline(self, call: Callable[[], Awaitable[None]]) -> float:
        """Repeat a call while the store fails; returns when the one that succeeded was asked."""
        if now() >= self.deadline:  # this process slept
            raise TimeoutError("the deadline has passed")
        async with asyncio.timeout_at(self.deadline):
            while True:
                asked_at = now()
                try:
                    async with asyncio.timeout(TRY_SECONDS):
                        await call()
                except BlobMissing as error:
                    raise LeaseHeld(f"{self._blob} was deleted") from error
                except OUTAGE as error:
                    log.warning("permit_store_failed", permit=self.index, reason=str(error))
                else:
                    return asked_at
                await asyncio.sleep(random.uniform(1, 2))  # noqa: S311 - jitter


async def sweep(pool: Pool, identifiers: Identifiers, permit: int, seconds: float) -> None:
    """Delete the sessions a permit's last holder left; unconfirmed for so long, the pool has removed them."""
    try:
        async with asyncio.timeout(seconds):
            pause = 1.0
            while (found := await _swept(pool, identifiers, permit)) != 0:
                if found:
                    pause = 1.0  # a request of the last holder's may still arrive, and make one more
                await asyncio.sleep(pause * random.uniform(0.5, 1))  # noqa: S311 - jitter
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
    except TimeoutError:
        log.error("permit_taken_unswept", permit=permit, waited_seconds=seconds)  # noqa: TRY400 - all is said


async def _swept(pool: Pool, identifiers: Identifiers, permit: int) -> int | None:
    """How many were found and deleted; None when that is not known."""
    try:
        async with asyncio.timeout(SWEEP_SECONDS):
            left = [name for name in await pool.identifiers(permit) if identifiers.of_permit(name, permit)]
            for identifier in left:
                await pool.release(permit, identifier)
    except (ExecutionLost, *OUTAGE) as error:
        log.warning("permit_sweep_failed", permit=permit, reason=str(error))
        return None
    log.info("permit_swept", permit=permit, sessions=len(left))
    return len(left)
