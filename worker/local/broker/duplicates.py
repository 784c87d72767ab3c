"""Duplicate detection: which message ids a queue accepted of late. Pure, like the queue's rules."""

from collections.abc import Iterable


class DuplicateWindow:
    """Message ids, each remembered for `seconds` from its acceptance."""

    def __init__(self, seconds: float, ids: Iterable[tuple[bytes, float]] = ()) -> None:
        self._seconds = seconds
        self._forget_at = dict(sorted(ids, key=lambda entry: entry[1]))

    def remember(self, message_id: bytes, now: float) -> float | None:
        """Remember an id and return when to forget it; None when it is a duplicate."""
        self.forget(now)
        if message_id in self._forget_at:
            return None
        self._forget_at[message_id] = now + self._seconds
        return now + self._seconds

    def forget(self, now: float) -> None:
        """Drop the ids whose window has passed; they stand in the order of their times."""
        while self._forget_at and self._forget_at[oldest := next(iter(self._forget_at))] <= now:
            del self._forget_at[oldest]
