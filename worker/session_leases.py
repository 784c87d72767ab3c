"""Sessions lent to jobs, one permit each: taken before the first call, returned when the pool confirms."""

from __future__ import annotations

import asyncio
import math
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeVar

import structlog

from worker.clock import now
from worker.faults import (
    CapacityFault,
    ConfigurationFault,
    ExecutionLost,
    InfrastructureFault,
    ServiceFault,
)
from worker.lease import Lease, Pool
from worker.observing import SILENT
from worker.releasing import Releases

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from worker.identifiers import Identifiers
    from worker.observing import Observer
    from worker.permits import Permit, Permits
    from worker.settings import WorkerSettings

log = structlog.get_logger()
T = TypeVar("T")
SWEEP_SECONDS = 30.0
KEPT_SECONDS = 60.0


class SessionLeases:
    """Lends sessions, one permit each, and sees to it that each is deleted or kept on purpose."""

    def __init__(
        self,
        pool: Pool,
        permits: Permits,
        identifiers: Identifiers,
        settings: WorkerSettings,
        observer: Observer = SILENT,
    ) -> None:
        self._pool, self._permits, self._identifiers = pool, permits, identifiers
        self._patience, self._observer = settings.wait_in_hand_seconds, observer
        self._releases = Releases(pool, permits, settings.session_cooldown_seconds)
        self._lent: set[Lease] = set()

    @property
    def busy(self) -> int:
        """How many sessions are in the hands of jobs."""
        return sum(lease.is_allocated for lease in self._lent)

    @property
    def unconfirmed(self) -> int:
        """How many sessions may still be at the pool that nobody is to use again."""
        return self._releases.unconfirmed

    @asynccontextmanager
    async def lend(
        self, job: str, owner: str | None, patience_seconds: float = math.inf
    ) -> AsyncIterator[Lease]:
        """A session for one job; kept for its owner afterwards, if it has one and nothing went wrong.

        Raises:
            CapacityFault: besides what the body raises, when there is no permit or it was lost meanwhile.
        """
        permit = await self._permit(owner)
        patience = min(self._patience, patience_seconds)
        lease = Lease(self._pool, self._permits, permit, patience, self._observer)
        self._lent.add(lease)
        try:
            async with _while_held(permit):
                if permit.session and (permit.owner != owner or not owner):
                    lease.touched = True
                    await self._pool.release(permit.index, permit.session)
                    permit.session = permit.owner = None
                    lease.touched = False
                lease.identifier = permit.session or self._identifiers.new(
                    permit.index, None if owner else job
                )
                yield lease
        except ExecutionLost as lost:
            await self._return(permit, lease, owner=None)
            if lease.release_fault:  # no matter of this job: the pool does not do the simplest thing
                raise InfrastructureFault(f"{lost}; nor does it answer otherwise") from lost
            raise
        except BaseException:
            await self._return(permit, lease, owner=None)
            raise
        await self._return(permit, lease, owner if lease.reusable else None)

    async def _permit(self, owner: str | None) -> Permit:
        """Wait for a permit: as long as others use them, but not long while this worker has none at all."""
        while True:
            try:
                async with asyncio.timeout(self._patience):
                    return await self._permits.take(owner)
            except TimeoutError as error:
                if not self._permits.held:
                    raise CapacityFault("all session permits are other workers'") from error

    async def fence(self, job: str) -> None:
        """Delete the sessions of the job's former deliveries, which may still be running.

        Where the pool cannot tell or delete them they end by themselves: that delays, and loses nothing.
        """
        try:
            for identifier in await self._pool.identifiers(0):
                if self._identifiers.of_job(identifier, job):
                    await self._pool.release(0, identifier)
                    log.info("former_session_deleted")
        except ConfigurationFault as fault:
            log.warning("former_sessions_left", reason=str(fault))

    async def sweep(self) -> None:
        """Delete what a crash of this very instance left at the pool."""
        try:
            async with asyncio.timeout(SWEEP_SECONDS):
                left = [name for name in await self._pool.identifiers(0) if self._identifiers.is_own(name)]
                for identifier in left:
                    await self._pool.release(0, identifier)
        except (ServiceFault, ExecutionLost, TimeoutError) as error:
            log.warning("sweep_failed", reason=str(error), remedy="the pool removes them after its cooldown")
        else:
            if left:
                log.warning("sessions_swept", count=len(left))

    async def close(self) -> None:
        """Delete the sessions that were kept and wait for those being deleted."""
        self._release_kept(idle_seconds=0)
        await self._releases.ended()

    async def tidy(self) -> None:
        """Delete the sessions that are kept and not used, so that other workers may have their permits."""
        while True:
            await asyncio.sleep(KEPT_SECONDS / 4)
            self._release_kept(KEPT_SECONDS)

    def _release_kept(self, idle_seconds: float) -> None:
        for permit in self._permits.take_kept(idle_seconds):
            self._releases.begin(permit, Lease(self._pool, self._permits, permit, 0))

    async def _return(self, permit: Permit, lease: Lease, owner: str | None) -> None:
        self._lent.discard(lease)
        if owner:
            permit.session, permit.owner = lease.identifier, owner
            self._permits.give_back(permit)
        elif not lease.touched and not permit.session:
            self._permits.give_back(permit)
        else:
            await self._releases.waited_for(permit, lease)


@asynccontextmanager
async def _while_held(permit: Permit) -> AsyncIterator[None]:
    """End what runs in the context when the permit is lost: its next holder must find no session in use."""
    try:
        async with asyncio.timeout(None) as bound:

            def end(_: asyncio.Future[None]) -> None:
                if not is_over:
                    bound.reschedule(now())

            is_over = False
            permit.lost.add_done_callback(end)
            try:
                yield
            finally:
                is_over = True
                permit.lost.remove_done_callback(end)
    except TimeoutError as error:
        if not bound.expired():
            raise
        raise CapacityFault("the session permit was lost to another worker") from error
