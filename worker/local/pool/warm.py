"""Sessions started ahead, so that taking one costs no start."""

import asyncio
import logging
import os
from collections import deque
from collections.abc import Awaitable, Callable

from worker.local.pool.errors import StartError
from worker.local.pool.log import event
from worker.local.pool.session import ABORTED, Session

RETRY_SECONDS = 1.0


class WarmSessions:
    """Keeps `target` spare sessions, starting one at a time in the background."""

    def __init__(self, start: Callable[[], Awaitable[Session]], target: int) -> None:
        self._start_session, self._target = start, target
        self._spares: deque[Session] = deque()
        self._starts = asyncio.Semaphore(os.cpu_count() or 1)
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
            await session.gone()
        return await self._start()

    async def keep_filled(self) -> None:
        """Start spares whenever some were taken, for ever."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            while len(self._spares) < self._target:
                await self._add()

    async def close(self) -> None:
        """End the spares."""
        spares = [self._spares.popleft() for _ in range(len(self._spares))]
        for session in spares:
            session.kill(ABORTED)
        await asyncio.gather(*(session.gone() for session in spares))

    async def _add(self) -> None:
        try:
            self._spares.append(await self._start())
        except StartError as error:
            event(logging.WARNING, "spare_session_failed", error=str(error))
            await asyncio.sleep(RETRY_SECONDS)

    async def _start(self) -> Session:
        async with self._starts:
            return await self._start_session()
