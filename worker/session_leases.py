"""Sessions lent to jobs, one permit each: taken before the first call, returned when the pool confirms."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import math
import secrets
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Protocol, TypeVar

import structlog

from worker.clock import now
from worker.faults import CapacityFault, ConfigurationFault, ServiceFault
from worker.patience import with_patience

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from worker.permits import Permit, Permits
    from worker.ran import Execution
    from worker.settings import WorkerSettings

log = structlog.get_logger()
T = TypeVar("T")
RELEASE_PAUSES = (0, 0.2, 0.8, 3.2)  # seconds before each try


class Pool(Protocol):
    """What is needed of the session pool; see ``worker.sessions.SessionPool``."""

    @property
    def stream_chars(self) -> int: ...  # noqa: D102 - the adapter says

    async def execute(self, permit: int, identifier: str, code: str, timeout_seconds: float) -> Execution: ...  # noqa: D102

    async def upload(self, permit: int, identifier: str, name: str, data: bytes) -> None: ...  # noqa: D102

    def download(self, permit: int, identifier: str, name: str) -> AsyncIterator[bytes]: ...  # noqa: D102

    async def release(self, permit: int, identifier: str) -> None: ...  # noqa: D102


class Identifiers:
    """Session identifiers: unguessable, and derivable by every worker of one deployment.

    Whoever receives a redelivery can so name the sessions of the deliveries before it, and delete them.
    """

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._prefix = f"jsw-{self._digest('prefix')[:8]}-"

    def of_delivery(self, job: str, sequence_number: int, delivery_count: int) -> str:
        """The identifier of the one session that a delivery may use."""
        return self._prefix + self._digest(f"{job}|{sequence_number}|{delivery_count}")[:40]

    def random(self) -> str:
        """An identifier for a session that outlives a job."""
        return self._prefix + secrets.token_hex(20)

    def _digest(self, text: str) -> str:
        return hmac.new(self._secret, text.encode(), hashlib.sha256).hexdigest()


class Lease:
    """A session in the hands of one job.

    Attributes:
        identifier: the session's.
        touched: whether the pool may have allocated it.
        reusable: whether another job of its owner may have it afterwards.
        release_ms: how long its deletion took; None while it is not deleted.
    """

    def __init__(self, pool: Pool, permit: int, identifier: str, patience_seconds: float) -> None:
        self._pool, self._permit, self._patience = pool, permit, patience_seconds
        self.identifier = identifier
        self.touched = False
        self.reusable = True
        self.release_ms: float | None = None

    @property
    def stream_chars(self) -> int:
        """How many characters of each stream of an execution arrive."""
        return self._pool.stream_chars

    async def execute(self, code: str, timeout_seconds: float) -> Execution:
        """Run code; while the pool is full this waits, with the permit, which bounds the load on the pool.

        Raises:
            CapacityFault: the pool was full all the time.
            InfrastructureFault: nothing has run, as far as the service says.
            ExecutionLost: the code may have run.
        """
        return await self._patiently(
            lambda: self._pool.execute(self._permit, self.identifier, code, timeout_seconds)
        )

    async def upload(self, name: str, data: bytes) -> None:
        """Put a file into the session's data folder under a flat name; raises as ``execute`` does."""
        await self._patiently(lambda: self._pool.upload(self._permit, self.identifier, name, data))

    def download(self, name: str) -> AsyncIterator[bytes]:
        """The content of a file of the session's data folder, in pieces."""
        return self._pool.download(self._permit, self.identifier, name)

    async def _patiently(self, call: Callable[[], Awaitable[T]]) -> T:
        try:
            answer = await with_patience(call, self._patience, CapacityFault)
        except CapacityFault:
            raise  # the pool was full: it has allocated nothing
        except BaseException:
            self.touched = True
            raise
        self.touched = True
        return answer


class SessionLeases:
    """Lends sessions, one permit each, and sees to it that each is deleted or kept on purpose."""

    def __init__(self, pool: Pool, permits: Permits, settings: WorkerSettings) -> None:
        self._pool, self._permits = pool, permits
        self._cooldown, self._patience = settings.session_cooldown_seconds, settings.wait_in_hand_seconds
        self._releases: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def lend(
        self, identifier: str, owner: str | None, patience_seconds: float = math.inf
    ) -> AsyncIterator[Lease]:
        """A session for one job; kept for its owner afterwards, if it has one and nothing went wrong."""
        permit = await self._permits.take(owner)
        lease = Lease(self._pool, permit.index, identifier, min(self._patience, patience_seconds))
        try:
            if permit.session and (permit.owner != owner or not owner):
                lease.identifier, lease.touched = permit.session, True
                await self._pool.release(permit.index, lease.identifier)
                permit.session = permit.owner = None
                lease.touched = False
            lease.identifier = permit.session or identifier
            yield lease
        except BaseException:
            await self._return(permit, lease, owner=None)
            raise
        await self._return(permit, lease, owner if lease.reusable else None)

    async def fence(self, identifier: str) -> None:
        """Delete the session of a former delivery, which may still be running."""
        await self._pool.release(0, identifier)

    async def close(self) -> None:
        """Delete the sessions that were kept and wait for those being deleted."""
        for permit in self._permits.take_kept():
            self._begin_release(permit, Lease(self._pool, permit.index, permit.session or "", 0))
        if self._releases:
            await asyncio.wait(self._releases)

    async def _return(self, permit: Permit, lease: Lease, owner: str | None) -> None:
        if owner:
            permit.session, permit.owner = lease.identifier, owner
            self._permits.give_back(permit)
        elif not lease.touched and not permit.session:
            self._permits.give_back(permit)
        else:
            await asyncio.shield(self._begin_release(permit, lease))

    def _begin_release(self, permit: Permit, lease: Lease) -> asyncio.Task[None]:
        """In a task of its own: a job that is cancelled leaves no session behind."""
        permit.session = permit.owner = None
        task = asyncio.create_task(self._release(permit, lease))
        self._releases.add(task)
        task.add_done_callback(self._releases.discard)
        return task

    async def _release(self, permit: Permit, lease: Lease) -> None:
        is_confirmed = False
        try:
            is_confirmed = await self._delete(permit.index, lease)
        finally:
            if is_confirmed:
                self._permits.give_back(permit)
            else:
                asyncio.get_running_loop().call_later(self._cooldown, self._permits.give_back, permit)

    async def _delete(self, permit: int, lease: Lease) -> bool:
        """Whether the pool has confirmed it, after some tries."""
        began = now()
        for pause in RELEASE_PAUSES:
            await asyncio.sleep(pause)
            try:
                await self._pool.release(permit, lease.identifier)
            except ConfigurationFault as error:
                reason = str(error)
                break  # another try would be answered the same
            except ServiceFault as error:
                reason = str(error)
            else:
                lease.release_ms = (now() - began) * 1000
                return True
        log.error(
            "session_release_unconfirmed",
            reason=reason,
            quarantine_seconds=self._cooldown,
        )
        return False
