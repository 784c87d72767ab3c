"""Sessions started ahead, so that taking one costs no start."""

import asyncio
import logging
import os
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

from worker.local.pool.errors import StartError
from worker.local.pool.log import event
from worker.local.pool.session import ABORTED, Session

RETRY_SECONDS = 1.0


class WarmSessions:
    """Keeps `target` spare sessions, starting one at a time in the background.

    A start is never cancelled: it would leave processes that nobody holds.
    """

    def __init__(self, start: Callable[[], Coroutine[Any, Any, Session]], target: int) -> None:
        self._start_session, self._target = start, target
        self._spares: deque[Session] = deque()
        self._starting: set[asyncio.Task[Session]] = set()
        self._turns = asyncio.Semaphore(os.cpu_count() or 1)
        self._wanted = asyncio.Event()
        self._wanted.set()

    async def take(self) -> Session:
        """Return a ready session.

        Raises:
            StartError: there was no spare and none could be started.
        """
        self._wanted.set()
        while self._spares:
            session = self._spares.popleft()
            if session.alive:
                return session
            await end(session)
        return await self._start()

    async def keep_filled(self) -> None:
        """Start spares whenever some were taken, for ever."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            while len(self._spares) < self._target:
                await self._add()

    async def close(self) -> None:
        """End the spares, those under way among them."""
        started = await asyncio.gather(*self._starting, return_exceptions=True)
        sessions = [*self._spares, *(session for session in started if isinstance(session, Session))]
        self._spares.clear()
        await asyncio.gather(*map(end, sessions))

    async def _add(self) -> None:
        try:
            self._spares.append(await self._start())
        except StartError as error:
            event(logging.WARNING, "spare_session_failed", error=str(error))
            await asyncio.sleep(RETRY_SECONDS)

    async def _start(self) -> Session:
        async with self._turns:
            starting = asyncio.create_task(self._start_session())
            self._starting.add(starting)
            try:
                session = await asyncio.shield(starting)
            except StartError:
                self._starting.discard(starting)
                raise
            self._starting.discard(starting)
            return session


async def end(session: Session) -> None:
    """Kill a session and wait until nothing of it is left."""
    session.kill(ABORTED)
    await session.gone()
