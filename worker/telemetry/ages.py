"""How old the oldest message of each queue is, by a look at the front of it twice a minute."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

import structlog

from worker.faults import ServiceFault

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    from worker.seen import Seen

log = structlog.get_logger()
PAUSE_SECONDS = 30.0
PAGE = 32
MOST_PAGES = 32  # of messages that are scheduled for later; a look goes no further


class Looks(Protocol):
    """What is needed to look at a queue; see ``worker.browsing.Browser``."""

    def messages(  # noqa: D102 - the adapter says
        self, *, dead: bool = False, start: int = 1, most: int | None = None
    ) -> AsyncGenerator[Seen]: ...


class OldestAges:
    """The ages of queues, by their names.

    Attributes:
        seconds: as of the last look; 0 of a queue that holds nothing active. One that could not be looked at,
            or that has too many scheduled messages in front, is not in it.
    """

    def __init__(self, queues: Mapping[str, Looks]) -> None:
        self._queues = queues
        self._starts = dict.fromkeys(queues, 1)
        self.seconds: dict[str, float] = {}

    async def run(self) -> None:
        """Look at all queues every half minute. Ends when cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(PAUSE_SECONDS)

    async def look(self) -> None:
        """Look at all queues once."""
        await asyncio.gather(*(self._looked(name, queue) for name, queue in self._queues.items()))

    async def _looked(self, name: str, queue: Looks) -> None:
        try:
            age = await self._age(name, queue)
        except ServiceFault:
            age = None  # those that receive from it tell of that
        except Exception:  # whatever it is, jobs must go on, and the next look may fare better
            age = None
            log.exception("queue_age_unknown", queue=name)
        if age is None:
            self.seconds.pop(name, None)
        else:
            self.seconds[name] = age

    async def _age(self, name: str, queue: Looks) -> float | None:
        """From where the last look found the oldest: what was not active before it comes in after it."""
        start = self._starts[name]
        for _ in range(MOST_PAGES):
            async with aclosing(queue.messages(start=start, most=PAGE)) as messages:
                page = [message async for message in messages]
            for message in page:
                if message.state == "active" and message.enqueued_at:
                    self._starts[name] = message.sequence_number
                    return max(0.0, (datetime.now(UTC) - message.enqueued_at).total_seconds())
            if len(page) < PAGE:
                self._starts[name] = 1
                return 0.0
            start = page[-1].sequence_number + 1
        return None
