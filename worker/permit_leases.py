"""The bound on sessions for a whole fleet: each permit is a lease on a blob, so that one worker has it."""

from __future__ import annotations

import asyncio
import hashlib
import random
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import structlog

from worker.faults import LeaseHeld
from worker.permit_lease import HOLDER, OUTAGE, Identifiers, PermitLease, Pool, Store, sweep
from worker.settings import PLATFORM_RUN_SECONDS

if TYPE_CHECKING:
    from worker.permits import Permits
    from worker.settings import WorkerSettings

log = structlog.get_logger()
IDLE_SECONDS = 15.0
LOOK_SECONDS = 5.0
POLL_SECONDS = (2.0, 5.0)  # between looks for a permit while none is free
ACQUIRE_SECONDS = 30.0
ACQUIRED_AT_ONCE = 16
CLOSE_SECONDS = 5.0


@dataclass(frozen=True)
class LeasedBlob:
    """A blob as a listing shows it.

    Attributes:
        name: without its container.
        is_leased: whether somebody has a lease on it that has not expired.
        metadata: its own.
    """

    name: str
    is_leased: bool
    metadata: dict[str, str]


class LeaseStore(Store, Protocol):
    """What is needed of blob storage besides the leases themselves."""

    async def leased(self, container: str, prefix: str) -> list[LeasedBlob]: ...  # noqa: D102 - the adapter says


class PermitLeases:
    """Supplies this worker's permits: one always, more while jobs wait for them, none that stays idle."""

    def __init__(
        self,
        store: LeaseStore,
        pool: Pool,
        permits: Permits,
        identifiers: Identifiers,
        settings: WorkerSettings,
    ) -> None:
        self._store, self._pool, self._permits, self._identifiers = store, pool, permits, identifiers
        endpoint = hashlib.sha256(settings.pool_endpoint.encode()).hexdigest()[:12]
        self._container, self._folder = settings.results_container, f"_deployment/permits/{endpoint}/"
        self._size, self._most = settings.max_sessions, settings.own_sessions
        self._seconds = settings.permit_lease_seconds
        self._sweep_seconds = settings.session_cooldown_seconds + PLATFORM_RUN_SECONDS
        self._holder = settings.instance
        self._leases: dict[int, PermitLease] = {}
        self._holding: dict[int, asyncio.Task[None]] = {}
        self._closing = asyncio.Event()

    async def run(self) -> None:
        """Acquire, renew and give back leases until ``close``; what is held when it is cancelled expires."""
        async with asyncio.TaskGroup() as group:
            supply = group.create_task(self._supply(group))
            await self._closing.wait()
            for task in (supply, *self._holding.values()):
                task.cancel()

    async def close(self) -> None:
        """Give back the permits that are free, in order and within 5 s.

        Those in use are left to expire under this worker's name: their sessions may not be deleted.
        """
        self._closing.set()
        unused = [lease for index, lease in self._leases.items() if not self._permits.knows(index)]
        free = [lease for index, lease in self._leases.items() if self._permits.retire(index)]
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_SECONDS):
                await asyncio.gather(
                    *(lease.give_back() for lease in free), *(lease.let_go() for lease in unused)
                )

    async def _supply(self, group: asyncio.TaskGroup) -> None:
        while True:
            self._permits.wanted.clear()
            self._retire_idle(group)
            short = min(self._short(), ACQUIRED_AT_ONCE)
            if short and not await self._acquire(short, group):
                await asyncio.sleep(random.uniform(*POLL_SECONDS))  # noqa: S311 - jitter
            elif not self._short():
                await self._until_wanted()

    def _short(self) -> int:
        """How many more permits are of use now; those on their way count as had."""
        coming = len(self._leases) - self._permits.held
        wanted = max(self._permits.waiting - coming, 0 if self._leases else 1)
        return min(wanted, self._most - len(self._leases))

    async def _until_wanted(self) -> None:
        if len(self._leases) == self._most:
            await asyncio.sleep(LOOK_SECONDS)  # it may have no more: who waits now waits for other jobs
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(LOOK_SECONDS):
                await self._permits.wanted.wait()

    def _retire_idle(self, group: asyncio.TaskGroup) -> None:
        """Let others have what was not used for a while, but for one, which notices work."""
        oldest_first = self._permits.idle(IDLE_SECONDS)[::-1]
        for index in oldest_first[: max(0, self._permits.held - 1)]:
            if index in self._leases and self._permits.retire(index):
                self._holding.pop(index).cancel()
                group.create_task(self._leases.pop(index).give_back())

    async def _acquire(self, count: int, group: asyncio.TaskGroup) -> bool:
        """Acquire so many leases, at random among those that seem free; False when there were not so many."""
        try:
            async with asyncio.timeout(ACQUIRE_SECONDS):
                indexes = await self._free()
                while count and indexes:
                    tries = [self._acquire_one(index, group) for index in indexes[:count]]
                    indexes = indexes[count:]
                    count -= sum(await asyncio.gather(*tries))
        except OUTAGE as error:
            log.warning("permits_not_acquired", reason=str(error))
            return False
        return count == 0

    async def _free(self) -> list[int]:
        """The permits nobody seems to have, those first that were given back in order."""
        listed = await self._store.leased(self._container, self._folder)
        blobs = {blob.name: blob for blob in listed}

        def rank(index: int) -> tuple[bool, float]:
            blob = blobs.get(self._name(index))
            return blob is not None and HOLDER in blob.metadata, random.random()  # noqa: S311 - to spread

        leased = {blob.name for blob in listed if blob.is_leased}
        return sorted(
            (
                index
                for index in range(self._size)
                if self._name(index) not in leased
                and index not in self._leases
                and not self._permits.knows(index)  # lost, and its job has not let go of it yet
            ),
            key=rank,
        )

    async def _acquire_one(self, index: int, group: asyncio.TaskGroup) -> bool:
        lease = PermitLease(self._store, f"{self._container}/{self._name(index)}", index, self._seconds)
        try:
            await lease.acquire()
        except LeaseHeld:
            return False  # another was first
        except OUTAGE as error:
            log.warning("permit_store_failed", permit=index, reason=str(error))
            return False
        self._leases[index] = lease
        self._holding[index] = group.create_task(self._hold(lease))
        return True

    async def _hold(self, lease: PermitLease) -> None:
        """Let the permit be used while the lease is ours."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(lease.keep())
                await self._admit(lease)
        except* (LeaseHeld, TimeoutError) as errors:
            self._lost(lease, "; ".join(str(error) or "not renewed in time" for error in errors.exceptions))

    def _lost(self, lease: PermitLease, reason: str) -> None:
        if self._leases.get(lease.index) is not lease:
            return  # it was just being given back
        del self._leases[lease.index], self._holding[lease.index]
        self._permits.lose(lease.index)
        log.error("permit_lease_lost", permit=lease.index, reason=reason)

    async def _admit(self, lease: PermitLease) -> None:
        """Bring the permit into circulation once no session of a former holder is left."""
        was_held = await lease.mark(self._holder)
        log.info("permit_lease_acquired", permit=lease.index, given_back=not was_held)
        if was_held:
            await sweep(self._pool, self._identifiers, lease.index, self._sweep_seconds)
        self._permits.add(lease.index)

    def _name(self, index: int) -> str:
        return f"{self._folder}{index:03}"
