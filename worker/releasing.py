"""Deleting sessions after their use; a permit stays out until the pool confirms it, or has forgotten it."""

from __future__ import annotations

import asyncio
from itertools import chain, repeat
from typing import TYPE_CHECKING, Protocol

import structlog

from worker.clock import now
from worker.faults import ConfigurationFault, ServiceFault

if TYPE_CHECKING:
    from worker.permits import Permit, Permits

log = structlog.get_logger()
WAIT_SECONDS = 4.0  # how long a job waits for the deletion of its session; it goes on without the job
PAUSES = (0.2, 0.8, 3.2, 5.0)  # seconds between two tries; the last again and again
SETTLING_SECONDS = 1.0  # until what was in flight when its caller gave up has arrived or is lost
FORGETTING_SECONDS = 1.0  # the pool may take about a cooldown to be over


class Pool(Protocol):
    """What is needed of the session pool; see ``worker.sessions.SessionPool``."""

    async def release(self, permit: int, identifier: str) -> bool: ...  # noqa: D102 - the adapter says


class Used(Protocol):
    """A session that was used, and what becomes of its deletion; see ``worker.session_leases.Lease``."""

    identifier: str
    idle_from: float
    is_abandoned: bool
    release_ms: float | None
    release_fault: str | None


class Releases:
    """The deletions under way, each in a task of its own: a cancelled job leaves no session behind."""

    def __init__(self, pool: Pool, permits: Permits, cooldown_seconds: float) -> None:
        self._pool, self._permits, self._cooldown = pool, permits, cooldown_seconds
        self._tasks: set[asyncio.Task[None]] = set()
        self._unconfirmed: set[Permit] = set()

    @property
    def unconfirmed(self) -> int:
        """How many sessions may still be at the pool, whose permits stay out for that."""
        return len(self._unconfirmed)

    def begin(self, permit: Permit, session: Used) -> asyncio.Event:
        """Delete a session and then give its permit back; what is set when the deletion is confirmed."""
        permit.session = permit.owner = None
        self._unconfirmed.add(permit)
        confirmed = asyncio.Event()
        task = asyncio.create_task(self._release(permit, session, confirmed))
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return confirmed

    async def waited_for(self, permit: Permit, session: Used) -> None:
        """Delete a session and wait for it, but not long."""
        try:
            await asyncio.wait_for(self.begin(permit, session).wait(), WAIT_SECONDS)
        except TimeoutError:
            log.error(  # noqa: TRY400 - all is said
                "session_release_unconfirmed",
                reason=session.release_fault or "no answer",
                remedy="the permit is used again when the pool confirms it, or after the cooldown",
            )

    async def ended(self) -> None:
        """Wait for all deletions."""
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("session_release_failed_unexpectedly", exc_info=error)

    async def _release(self, permit: Permit, session: Used, confirmed: asyncio.Event) -> None:
        began, is_gone = now(), False
        forgotten_at = max(began, session.idle_from) + self._cooldown + FORGETTING_SECONDS
        try:
            is_gone = await self._is_deleted(permit.index, session, forgotten_at)
            if is_gone:
                session.release_ms = (now() - began) * 1000
                confirmed.set()
                is_gone = not session.is_abandoned or await self._stays_gone(
                    permit.index, session, forgotten_at
                )
        finally:
            if is_gone:
                self._give_back(permit)
            else:
                asyncio.get_running_loop().call_at(forgotten_at, self._give_back, permit)

    def _give_back(self, permit: Permit) -> None:
        self._unconfirmed.discard(permit)
        self._permits.give_back(permit)

    async def _is_deleted(self, permit: int, session: Used, until: float) -> bool:
        """Try until the pool confirms it; False when no other try is worth making."""
        for pause in chain(PAUSES, repeat(PAUSES[-1])):
            try:
                await self._pool.release(permit, session.identifier)
            except ConfigurationFault:
                log.exception("session_not_deleted")
                return False  # another try would be answered the same
            except ServiceFault as fault:
                session.release_fault = str(fault)
            else:
                return True
            if now() + pause >= until:
                break
            await asyncio.sleep(pause)
        return False

    async def _stays_gone(self, permit: int, session: Used, until: float) -> bool:
        """Whether there is no session of the name a while after its deletion.

        A request that nobody waits for any more may arrive after the deletion, over another connection, and
        make the session again.
        """
        while now() + SETTLING_SECONDS < until:
            await asyncio.sleep(SETTLING_SECONDS)
            try:
                if not await self._pool.release(permit, session.identifier):
                    return True
            except ServiceFault as fault:
                log.info("session_release_repeated", reason=str(fault))
        return False
