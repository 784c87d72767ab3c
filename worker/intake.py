"""Whether a worker takes one more message: room, breakers, and the stop."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from worker.observing import SILENT

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from worker.breaker import Breaker
    from worker.observing import Observer
    from worker.permits import Permits

LONGEST_WAIT_SECONDS = 60.0  # for room, between two beats
ROOM_SECONDS = 0.5  # between two looks whether there is room for one more message


class Intake:
    """Whether the slots of a worker take messages; shared by all of them.

    Args:
        stop: set once, for good.
        queue: the breaker of the queue itself.
        services: the breaker of what jobs need.
        permits: bound the messages in hand, together with ``look_ahead``.
        look_ahead: how many messages may be in hand beyond the permits.
        is_clear_beside: whether other queues, too, have nothing left that a worker which drains waits for.
        observer: hears what becomes of messages.

    Attributes:
        open: how many slots there are, until they end.
        busy: how many of them have a message in hand.
        services: the breaker of what jobs need.
    """

    def __init__(  # noqa: PLR0913 - wiring
        self,
        stop: asyncio.Event,
        queue: Breaker,
        services: Breaker,
        permits: Permits,
        look_ahead: int,
        *,
        is_clear_beside: Callable[[], Awaitable[bool]] | None = None,
        observer: Observer = SILENT,
    ) -> None:
        self.stop, self.queue, self.services, self.observer = stop, queue, services, observer
        self.is_clear_beside = is_clear_beside or _clear
        self.open = self.busy = 0
        self._permits, self._look_ahead = permits, look_ahead
        self._receiving = 0
        self._quiet = asyncio.Event()
        self._door = asyncio.Lock()

    def is_welcome(self) -> bool:
        """Whether one more message may be taken: there is room, and the services work or are to be probed."""
        return self._has_room() and self.queue.is_turn() and self.services.is_turn()

    async def change(self) -> None:
        """Wait until a message may be welcome, or for a stop; at most a minute."""
        with suppress(TimeoutError):
            async with asyncio.timeout(LONGEST_WAIT_SECONDS):
                await self._room()
                await self.queue.change(self.stop)
                await self.services.change(self.stop)

    @contextmanager
    def receiving(self) -> Iterator[None]:
        """For as long as a slot may be given a message."""
        self._receiving += 1
        self._quiet.clear()
        try:
            yield
        finally:
            self._receiving -= 1
            if not self._receiving:
                self._quiet.set()

    async def quiet(self) -> None:
        """Wait until no slot is receiving. After a stop this is soon, and remains so.

        A message handed back sooner would go round the worker's own slots, and use up its deliveries.
        """
        if self._receiving:
            await self._quiet.wait()

    async def _room(self) -> None:
        """Wait until there is room, or for a stop. Only the first of those that wait looks."""
        async with self._door:
            while not self._has_room() and not self.stop.is_set():
                with suppress(TimeoutError):
                    await asyncio.wait_for(self.stop.wait(), ROOM_SECONDS)

    def _has_room(self) -> bool:
        limit = self._permits.limit
        return limit > 0 and self.busy + self._receiving < limit + self._look_ahead


async def _clear() -> bool:
    return True
