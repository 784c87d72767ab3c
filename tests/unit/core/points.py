"""The points at which a worker was made to crash or stop, counted for the summary of a test run."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterator


class Points:
    """Counts the points that tests have gone through."""

    def __init__(self, counted: Counter[str]) -> None:
        self._counted = counted

    def of(self, steps: int) -> Iterator[int]:
        """Each of the steps of a process, from the first on."""
        assert steps > 1
        for step in range(1, steps + 1):
            yield step
            self._counted["steps"] += 1
