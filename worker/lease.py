"""A session in the hands of one job, and what is needed of the session pool."""

from __future__ import annotations

import math
from contextlib import aclosing, contextmanager
from typing import TYPE_CHECKING, Protocol, TypeVar

import structlog

from worker.clock import now
from worker.faults import CapacityFault, ConfigurationFault, SessionFileMissing, SessionLost
from worker.observing import SILENT
from worker.patience import with_patience

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator

    from worker.observing import Observer
    from worker.permits import Permit, Permits
    from worker.ran import Execution

log = structlog.get_logger()
T = TypeVar("T")


class Pool(Protocol):
    """What is needed of the session pool; see ``worker.sessions.SessionPool``."""

    @property
    def stream_chars(self) -> int: ...  # noqa: D102 - the adapter says

    async def execute(self, permit: int, identifier: str, code: str, timeout_seconds: float) -> Execution: ...  # noqa: D102

    async def upload(self, permit: int, identifier: str, name: str, data: bytes) -> None: ...  # noqa: D102

    def download(self, permit: int, identifier: str, name: str) -> AsyncGenerator[bytes]: ...  # noqa: D102

    async def release(self, permit: int, identifier: str) -> bool: ...  # noqa: D102

    async def identifiers(self, permit: int) -> list[str]: ...  # noqa: D102


class Lease:
    """A session in the hands of one job.

    Attributes:
        identifier: the session's.
        touched: whether the pool may have allocated it.
        reusable: whether another job of its owner may have it afterwards.
        idle_from: until when something may run in it that nobody waits for, on the loop's clock.
        is_abandoned: whether a call was left without its answer, and may still be carried out.
        release_ms: how long its deletion took; None while it is not deleted.
        release_fault: why not, when the pool fails at it.
    """

    def __init__(
        self,
        pool: Pool,
        permits: Permits,
        permit: Permit,
        patience_seconds: float,
        observer: Observer = SILENT,
    ) -> None:
        self._pool, self._permits, self._patience = pool, permits, patience_seconds
        self._held, self._permit, self._observer = permit, permit.index, observer
        self.identifier = permit.session or ""
        self.touched = False
        self.reusable = True
        self.idle_from = 0.0
        self.is_abandoned = False
        self.release_ms: float | None = None
        self.release_fault: str | None = None

    @property
    def is_allocated(self) -> bool:
        """Whether the pool may have the session now."""
        return self.touched or self.is_abandoned or self._held.session is not None

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
        self.idle_from = math.inf
        try:
            return await self._patiently(lambda: self._execute(code, timeout_seconds))
        finally:
            self.idle_from = min(self.idle_from, now() + timeout_seconds)

    async def _execute(self, code: str, timeout_seconds: float) -> Execution:
        answer = await self._pool.execute(self._permit, self.identifier, code, timeout_seconds)
        self.idle_from = now()
        return answer

    async def upload(self, name: str, data: bytes) -> None:
        """Put a file into the session's data folder under a flat name; raises as ``execute`` does."""
        await self._patiently(lambda: self._pool.upload(self._permit, self.identifier, name, data))

    async def download(self, name: str, size: int, *, exact: bool = True) -> AsyncGenerator[bytes]:
        """The first ``size`` bytes of a file of the session's data folder, in pieces.

        Raises:
            ExecutionLost: it did not come whole.
            SessionLost: it has fewer bytes than it is said to have (``exact``).
            SessionFileMissing: there is no such file.
        """
        left = size
        pieces = self._pool.download(self._permit, self.identifier, name)
        with self._in_flight():
            async with aclosing(pieces):
                async for piece in pieces:
                    wanted = piece[:left]
                    if wanted:
                        yield wanted
                        left -= len(wanted)
                    if len(wanted) < len(piece):
                        return  # something in the session goes on writing to it
            if left and exact:
                raise SessionLost(f"{size - left} bytes of the session's file {name} of {size} came")

    async def _patiently(self, call: Callable[[], Awaitable[T]]) -> T:
        try:
            answer = await with_patience(lambda: self._counted(call), self._patience, CapacityFault)
        except CapacityFault:
            raise  # the pool was full: it has allocated nothing
        except BaseException:
            self.touched = True
            raise
        self.touched = True
        return answer

    @contextmanager
    def _in_flight(self) -> Iterator[None]:
        """A call: it is abandoned unless the pool's answer comes, be it a refusal, or left halfway."""
        before, self.is_abandoned = self.is_abandoned, True
        try:
            yield
        except (CapacityFault, ConfigurationFault, SessionLost, SessionFileMissing, GeneratorExit):
            self.is_abandoned = before
            raise
        self.is_abandoned = before

    async def _counted(self, call: Callable[[], Awaitable[T]]) -> T:
        """Tell the permits whether the pool has as many sessions as they think."""
        try:
            with self._in_flight():
                answer = await call()
        except CapacityFault:
            self._permits.was_full()
            self._observer.refused("pool")
            raise
        if not self.touched:
            self._permits.worked()
        return answer
