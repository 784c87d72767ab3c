"""What can be said of a whole class: counted as results come, in little memory."""

from __future__ import annotations

import statistics
from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from worker.report.standing import MAX_COLUMNS, case_names
from worker.report.text import readable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from worker.report.standing import Standing

HARDEST = 10
_PERCENT = [10, 20, 30, 40, 50, 60, 70, 80, 90]
_TIMES_MS = [10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000]


@dataclass
class CaseCount:
    """How a case went over all submissions that have it."""

    name: str
    tried: int = 0
    accepted: int = 0

    @property
    def percent(self) -> float:
        """Of the submissions, how many solved it."""
        return 100 * self.accepted / self.tried


@dataclass(frozen=True)
class Column:
    """A bar of a histogram."""

    label: str
    count: int


class Statistics:
    """Counts over the submissions that are graded."""

    def __init__(self) -> None:
        self.words: Counter[str] = Counter()
        self.shares: list[float] = []
        self.milliseconds: list[float] = []
        self._cases: dict[str, CaseCount] = {}

    def add(self, where: Standing, result: dict[str, Any]) -> None:
        """Count a submission."""
        self.words[where.word] += 1
        if where.share is not None:
            self.shares.append(where.share)
        if (duration := (result.get("timings") or {}).get("execute_ms")) is not None:
            self.milliseconds.append(duration)
        cases = result.get("cases") or ()
        for name, case in zip(case_names(cases), cases, strict=True):
            self._add_case(name, accepted=case["verdict"] == "accepted")

    @property
    def mean(self) -> float | None:
        """The mean share of the points, in percent."""
        return 100 * statistics.fmean(self.shares) if self.shares else None

    @property
    def median(self) -> float | None:
        """The median share of the points, in percent."""
        return 100 * statistics.median(self.shares) if self.shares else None

    def slowest(self, part: float) -> float:
        """The milliseconds that this part of the submissions does not exceed."""
        ordered = sorted(self.milliseconds)
        return ordered[min(int(len(ordered) * part), len(ordered) - 1)]

    def scores(self) -> list[Column]:
        """How many reached which tenth of the points; the last is from 90 to 100 percent."""
        counts = _counts([100 * share for share in self.shares], _PERCENT)
        return [Column(str(low), count) for low, count in zip([0, *_PERCENT], counts, strict=True)]

    def times(self) -> list[Column]:
        """How many took how long, without empty columns at the ends."""
        counts = _counts(self.milliseconds, _TIMES_MS)
        labels = ["0", *(f"{edge / 1000:g}" for edge in _TIMES_MS)]
        filled = [at for at, count in enumerate(counts) if count]
        wanted = slice(filled[0], filled[-1] + 1) if filled else slice(0)
        return [Column(*column) for column in list(zip(labels, counts, strict=True))[wanted]]

    def hardest(self) -> list[CaseCount]:
        """The cases that the fewest solved, hardest first."""
        return sorted(self._cases.values(), key=lambda case: case.percent)[:HARDEST]

    def _add_case(self, name: str, *, accepted: bool) -> None:
        if name not in self._cases and len(self._cases) == MAX_COLUMNS:
            return
        count = self._cases.setdefault(name, CaseCount(readable(name)))
        count.tried += 1
        count.accepted += accepted


def _counts(values: Sequence[float], edges: Sequence[float]) -> list[int]:
    counts = Counter(bisect_right(edges, value) for value in values)
    return [counts[at] for at in range(len(edges) + 1)]
