"""The sessions by identifier: allocation on first use, release, expiry, and the memory bound."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

from worker.local.pool.config import PoolConfig
from worker.local.pool.errors import ServiceError, StartError
from worker.local.pool.log import event
from worker.local.pool.registry import Lease, PoolFullError, Registry
from worker.local.pool.session import ABORTED, RESTARTED, Session
from worker.local.pool.warm import WarmSessions, end

WATCH_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Allocation:
    """A session in use by a request, and how long making it took (0 for one that was there)."""

    session: Session
    milliseconds: int


class Sessions:
    """Every allocated session of the pool."""

    def __init__(self, config: PoolConfig, warm: WarmSessions) -> None:
        self._config, self._warm = config, warm
        self.registry = Registry(config.max_sessions, config.cooldown_seconds)
        self._sessions: dict[str, asyncio.Task[Session]] = {}
        self._endings: set[asyncio.Task[None]] = set()

    @contextlib.asynccontextmanager
    async def use(self, identifier: str) -> AsyncIterator[Allocation]:
        """Give the identifier's session to a request, allocating it if need be.

        Raises:
            ServiceError: the pool is full, or the session did not start.
        """
        started = time.monotonic()
        is_new = identifier not in self.registry
        lease = self._lease(identifier)
        self.registry.begin(lease, time.time())
        try:
            session = await self._ready(lease)
            elapsed = round((time.monotonic() - started) * 1000) if is_new else 0
            yield Allocation(session, elapsed)
        finally:
            self.registry.finish(lease, time.time())

    async def release(self, identifier: str) -> bool:
        """End the identifier's session; tell whether there was one. Nothing of it is left afterwards."""
        found = self.registry.release(identifier)
        ending = self._end(identifier)
        if ending is not None:
            await asyncio.shield(ending)
        return found

    async def watch(self) -> None:
        """Expire idle sessions and end those that take too much memory, for ever."""
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            for identifier in self.registry.expire(time.time()):
                self._end(identifier)
                event(logging.INFO, "session_expired", session=identifier[:4])
            self._bound_memory()

    async def close(self) -> None:
        """End every session."""
        for lease in self.registry.leases():
            self.registry.release(lease.identifier)
            self._end(lease.identifier)
        await asyncio.gather(*self._endings)

    def _lease(self, identifier: str) -> Lease:
        self._refuse_new(identifier)
        try:
            lease = self.registry.allocate(identifier, time.time())
        except PoolFullError as full:
            raise self._full(self._config.faults.now.when_full, identifier) from full
        if identifier not in self._sessions:
            self._sessions[identifier] = asyncio.create_task(self._allocate())
        return lease

    def _refuse_new(self, identifier: str) -> None:
        """Say that the pool is full, where it is to say so to whoever has no session."""
        if identifier in self.registry:
            return
        if self._config.faults.happens("full_rate"):
            raise self._full("429", identifier)
        if self._config.faults.happens("missing_rate"):
            raise self._full("404", identifier)

    def _full(self, status: str, identifier: str) -> ServiceError:
        if status == "404":
            return ServiceError(404, "NotFound", "The session pool has no session available.")
        if status == "500":
            return _allocating(identifier)
        maximum = self.registry.max_sessions
        text = f"The number of sessions exceeds the maximum of the session pool, {maximum}."
        return ServiceError(429, "SessionsCountExceedsLimit", text, bare=True)

    async def _allocate(self) -> Session:
        await asyncio.sleep(self._config.faults.now.allocation_seconds)
        return await self._warm.take()

    async def _ready(self, lease: Lease) -> Session:
        starting = self._sessions[lease.identifier]
        try:
            return await asyncio.shield(starting)
        except StartError as error:
            if self._sessions.get(lease.identifier) is starting:
                del self._sessions[lease.identifier]
                self.registry.release(lease.identifier)
            event(logging.WARNING, "session_start_failed", error=str(error))
            raise _allocating(lease.identifier) from error

    def _end(self, identifier: str) -> asyncio.Task[None] | None:
        starting = self._sessions.pop(identifier, None)
        if starting is None:
            return None
        if starting.done() and starting.exception() is None:
            starting.result().kill(ABORTED)
        ending = asyncio.create_task(_finish(starting))
        self._endings.add(ending)
        ending.add_done_callback(self._endings.discard)
        return ending

    def _bound_memory(self) -> None:
        """Idle sessions too, and those whose channel is closed: what was left running in them goes on."""
        for starting in self._sessions.values():
            if starting.done() and not starting.cancelled() and starting.exception() is None:
                self._bound(starting.result())

    def _bound(self, session: Session) -> None:
        if session.memory_bytes() > self._config.limits.memory_bytes:
            session.kill(RESTARTED)
            event(logging.WARNING, "session_out_of_memory", bound_bytes=self._config.limits.memory_bytes)


async def _finish(starting: asyncio.Task[Session]) -> None:
    try:
        session = await starting
    except StartError:
        return
    await end(session)


def _allocating(identifier: str) -> ServiceError:
    text = f"Error happened when allocating pod for identifier {identifier}"
    return ServiceError(500, "InternalServerError", text)
