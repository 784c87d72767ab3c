"""How long the locks of a queue are, whatever this machine's wall clock says."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from datetime import datetime

log = structlog.get_logger()
NORMAL_SECONDS = (1.0, 310.0)  # the service's maximum is 300
TOLERANCE_SECONDS = 5.0
ASSUMED_SECONDS = 60.0
SUSPECT_SECONDS = 30.0


class LockClock:
    """Judges locks from the times that the service writes on messages.

    The end of a lock is told by the service's clock. What is left by the clock of this machine is right only
    if both agree. What lies between a message's enqueueing and the end of its lock is told by one clock, and
    is too long by the time that the message has waited: the least of it bounds the length. Where both
    figures are the same the clocks agree and the length is known; until then no more than a minute is
    assumed, so that a renewal at a third of it comes in time.
    """

    def __init__(self) -> None:
        self._most = math.inf
        self._known: float | None = None
        self._skewed = False

    def seconds(self, locked_until: datetime | None, enqueued: datetime | None, wall: datetime) -> float:
        """What may be assumed to be left of a lock that was just acquired; tells of a skewed clock once."""
        left = (locked_until - wall).total_seconds() if locked_until else 0.0
        if locked_until and enqueued and locked_until > enqueued:
            self._most = min(self._most, (locked_until - enqueued).total_seconds())
        if abs(left - self._most) <= TOLERANCE_SECONDS:
            self._known = self._most
        skewed = self._is_skewed(left)
        usable = max(left, SUSPECT_SECONDS) if skewed else left
        seconds = min(usable, self._known or ASSUMED_SECONDS, self._most)
        self._tell(left, seconds, skewed=skewed)
        return seconds

    def _is_skewed(self, left: float) -> bool:
        shortest, longest = NORMAL_SECONDS
        return (
            not shortest <= left <= longest
            or left > self._most + TOLERANCE_SECONDS
            or left < (self._known or 0.0) - TOLERANCE_SECONDS
        )

    def _tell(self, left: float, seconds: float, *, skewed: bool) -> None:
        if skewed and not self._skewed:
            log.error(
                "clock_skewed",
                lock_seconds_by_this_clock=round(left, 1),
                lock_seconds_assumed=round(seconds, 1),
                remedy="synchronise this machine's clock; until then locks are judged without it",
            )
        elif self._skewed and not skewed:
            log.info("clock_agreed")
        self._skewed = skewed
