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
FORGETTING_SECONDS = 1.0  # the pool may take about a cooldown to be over


class Pool(Protocol):
    """What is needed of the session pool; see ``worker.sessions.SessionPool``."""

    async def release(self, permit: int, identifier: str) -> None: ...  # noqa: D102 - the adapter says


class Used(Protocol):
    """A session that was used, and what becomes of its deletion; see ``worker.session_leases.Lease``."""

    identifier: str
    idle_from: float
    release_ms: float | None
    release_fault: str | None


class Releases:
    """The deletions under way, each in a task of its own: a cancelled job leaves no session behind."""

    def __init__(self, pool: Pool, permits: Permits, cooldown_seconds: float) -> None:
        self._pool, self._permits, self._cooldown = pool, permits, cooldown_seconds
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, permit: Permit, session: Used) -> asyncio.Task[None]:
        """Delete a session and then give its permit back."""
        permit.session = permit.owner = None
        task = asyncio.create_task(self._release(permit, session))
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    async def waited_for(self, permit: Permit, session: Used) -> None:
        """Delete a session and wait for it, but not long."""
        await asyncio.wait({self.begin(permit, session)}, timeout=WAIT_SECONDS)
        if session.release_ms is None:
            log.error(
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

    async def _release(self, permit: Permit, session: Used) -> None:
        began, is_deleted = now(), False
        forgotten_at = max(began, session.idle_from) + self._cooldown + FORGETTING_SECONDS
        try:
            is_deleted = await self._is_deleted(permit.index, session, forgotten_at)
        finally:
            if is_deleted:
                session.release_ms = (now() - began) * 1000
                self._permits.give_back(permit)
            else:
                asyncio.get_running_loop().call_at(forgotten_at, self._permits.give_back, permit)

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
