"""Whether a service is worth calling: closed; open after failures in a row; while open, a probe at a time."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from typing import TYPE_CHECKING

import structlog

from worker.clock import now

if TYPE_CHECKING:
    from worker.vitals import Vitals

log = structlog.get_logger()
FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 10.0  # so that work goes on this soon after an outage, at the latest
BETWEEN_PROBES_SECONDS = (
    3.0  # while there is no bad news: a probe that is a long job must not hold up the rest
)
REMEMBERED = 20
_ENOUGH_OTHERS = 5
_MOSTLY = 0.8


class Breaker:
    """Counts failures in a row; opens when they are enough, and of enough parties.

    Args:
        part: its name in vitals and logs.
        vitals: told when it opens and closes.
        failures: how many in a row open it.
        parties: of how many different callers they must be; one poisonous job is no outage.

    Attributes:
        part: its name.
    """

    def __init__(self, part: str, vitals: Vitals, *, failures: int = 5, parties: int = 2) -> None:
        self.part, self._vitals = part, vitals
        self._failures, self.parties = failures, parties
        self._recent: deque[tuple[str, bool]] = deque(maxlen=REMEMBERED)
        self._in_a_row: list[str] = []
        self._pauses = 0
        self._probe_at = 0.0
        self._is_pausing = False
        self._closed = asyncio.Event()
        self._closed.set()

    @property
    def is_closed(self) -> bool:
        """Whether the service is taken to work."""
        return self._closed.is_set()

    def failed(self, who: str, reason: str) -> None:
        """A call of this party failed by the service's fault."""
        self._recent.append((who, False))
        self._in_a_row.append(who)
        is_enough = len(self._in_a_row) >= self._failures and len(set(self._in_a_row)) >= self.parties
        if self.is_closed and is_enough:
            self._closed.clear()
            self._pauses, self._is_pausing = 0, False
            self._vitals.ill(self.part, reason)
            log.error("breaker_opened", part=self.part, reason=reason)
            self._pause()
        elif not self.is_closed:
            self._pause()

    def worked(self, who: str) -> None:
        """All that this party needed of the service was done."""
        self._recent.append((who, True))
        self._in_a_row.clear()
        if not self.is_closed:
            self._closed.set()
            self._vitals.well(self.part)
            log.info("breaker_closed", part=self.part)

    def serves_others(self, who: str) -> bool:
        """Whether the service did well by others since it last failed this party."""
        others: list[bool] = []
        for party, is_well in reversed(self._recent):
            if party != who:
                others.append(is_well)
            elif not is_well:
                break
        return len(others) >= _ENOUGH_OTHERS and sum(others) >= _MOSTLY * len(others)

    def is_turn(self) -> bool:
        """Whether a call is worth making now: while closed, else as a probe, whose turn this takes."""
        if not self.is_closed:
            if now() < self._probe_at:
                return False
            self._probe_at, self._is_pausing = now() + BETWEEN_PROBES_SECONDS, False
        return True

    async def change(self, stop: asyncio.Event) -> None:
        """Wait until a turn may have come, or for a stop."""
        if not self.is_closed:
            await _either(self._closed, stop, max(0.0, self._probe_at - now()))

    def _pause(self) -> None:
        """Put off the next probe; the failures of many within one pause tell of the same outage."""
        if self._is_pausing and now() < self._probe_at:
            return
        seconds = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2.0**self._pauses)
        self._probe_at = now() + seconds * random.uniform(0.5, 1)  # noqa: S311 - spreads the probes of many workers
        self._pauses = min(self._pauses + 1, 10)
        self._is_pausing = True


async def _either(one: asyncio.Event, other: asyncio.Event, seconds: float) -> None:
    waits = [asyncio.ensure_future(event.wait()) for event in (one, other)]
    try:
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
