"""The scout: looks ahead in a queue, for other batches behind the one that keeps the worker busy."""

from __future__ import annotations

import asyncio
import random
from contextlib import aclosing
from typing import TYPE_CHECKING, Protocol

import structlog

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from worker.seen import Seen
    from worker.shares import Shares

log = structlog.get_logger()
PAUSE_SECONDS = 2.0


class Looks(Protocol):
    """What is needed to look at a queue; see ``worker.browsing.Browser``."""

    def messages(self, *, start: int = 1, most: int | None = None) -> AsyncGenerator[Seen]: ...  # noqa: D102 - the adapter says


class Scout:
    """Tells the shares what waits in one queue; keeps counts by batch, and no message.

    Args:
        browser: looks at the queue.
        queue: the queue's name, as deliveries have it.
        shares: know what is in hand.
    """

    def __init__(self, browser: Looks, queue: str, shares: Shares) -> None:
        self._browser, self._shares, self._line = browser, shares, shares.line(queue)
        self._trouble: str | None = None

    async def run(self) -> None:
        """Look every few seconds, when it matters. Ends when cancelled."""
        while True:
            await asyncio.sleep(PAUSE_SECONDS * random.uniform(0.8, 1.2))  # noqa: S311 - jitter
            if self._shares.is_worth_a_look(self._line):
                await self._looked()

    async def look(self) -> None:
        """Look on from where the last look ended, up to the look-ahead.

        Raises:
            ServiceFault: the service did not do its part; the next look begins where this one did.
        """
        line = self._line
        start = line.begin_look()
        most = line.head + self._shares.look_ahead + 1 - start
        async with aclosing(self._browser.messages(start=start, most=most)) as messages:
            async for message in messages:
                batch = message.job[1]
                line.saw(message.sequence_number, batch, is_waiting=message.state == "active")
        line.end_look()

    async def _looked(self) -> None:
        """A look whose faults are logged when they change, and no more: jobs go on without it."""
        try:
            await self.look()
        except Exception as fault:  # noqa: BLE001 - whatever it is, the next look may fare better
            if str(fault) != self._trouble:
                log.warning("look_ahead_failed", reason=str(fault))
            self._trouble = str(fault)
        else:
            self._trouble = None
