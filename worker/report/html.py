"""The report as one HTML file: a summary, a table, and the details of each submission as data."""

from __future__ import annotations

import json
from dataclasses import dataclass
from tempfile import SpooledTemporaryFile
from typing import TYPE_CHECKING, Any

from worker.report.details import Room, details
from worker.report.page import policy, source, template
from worker.report.standing import missing, standing
from worker.report.statistics import Statistics
from worker.report.text import number

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from worker.report.standing import Standing

_MEMORY_BYTES = 8 << 20
_PAGE_CHARS = 60_000_000  # of details in all, so that a browser opens it
_LEAST_CHARS, _MOST_CHARS = 4_000, 100_000  # of details of a submission
_PIECE = 1 << 20
_RANKS = ("accepted", "succeeded", "partial", "wrong_answer", "runtime_error", "failed", "time_limit")


@dataclass(frozen=True)
class Row:
    """A submission in the table; ``number`` names its details, where there are any."""

    where: Standing
    number: int | None = None
    passed: int = 0
    cases: int = 0
    milliseconds: float | None = None

    @property
    def score(self) -> str:
        """Points of points."""
        if self.where.points is None or self.where.of is None:
            return ""
        return f"{number(self.where.points)} / {number(self.where.of)}"

    @property
    def twentieths(self) -> int:
        """The length of the bar under the score; full only if all points were reached."""
        return int(20 * (self.where.share or 0) + 1e-9)

    @property
    def keys(self) -> list[float | None]:
        """What the columns are sorted by: verdict, score, cases, time."""
        rank = _RANKS.index(self.where.word) if self.where.word in _RANKS else len(_RANKS)
        passed = self.passed / self.cases if self.cases else None
        score = self.where.points if self.where.share is None else self.where.share
        return [rank, *(None if key is None else round(key, 5) for key in (score, passed, self.milliseconds))]


class HtmlReport:
    """Details wait in a file until the summary is known.

    Args:
        title: what is reported on, the name of the batch.
        count: how many submissions there are to come; the more, the less is told of each.
        names: names for those that have no result, by id.
        hidden: whether it is for those who may see the hidden cases.
    """

    def __init__(self, title: str, count: int, names: Mapping[str, str], *, hidden: bool) -> None:
        self._title, self._names, self._hidden = title, names, hidden
        self._chars = min(max(_PAGE_CHARS // max(count, 1), _LEAST_CHARS), _MOST_CHARS)
        self._statistics = Statistics()
        self._rows: list[Row] = []
        self._apart: list[Row] = []
        self._finished = ""
        self._details = SpooledTemporaryFile(  # noqa: SIM115 - closed at the end
            _MEMORY_BYTES, "w+", encoding="ascii", newline="\n"
        )

    def begin(self) -> str:
        """Nothing yet."""
        return ""

    def result(self, result: dict[str, Any], number: int) -> str:
        """Nothing yet; what is to be told is kept."""
        where, cases = standing(result), result.get("cases") or ()
        told = details(result, Room(self._chars), hidden=self._hidden)
        self._details.write(f'<script type="application/json" id="details-{number}">{_json(told)}</script>\n')
        passed = sum(case["verdict"] == "accepted" for case in cases)
        duration = (result.get("timings") or {}).get("execute_ms")
        row = Row(where, number, passed, len(cases), duration)
        self._finished = max(self._finished, result.get("finished_at") or "")
        if where.not_graded:
            self._apart.append(row)
        else:
            self._rows.append(row)
            self._statistics.add(where, result)
        return ""

    def missing(self, job_id: str) -> str:
        """Nothing yet; it is named among those that are not graded."""
        self._apart.append(Row(missing(job_id, self._names)))
        return ""

    def end(self, _number: int) -> Iterator[str]:
        """The page."""
        style, script = source("report.css"), source("report.js")
        yield from template("report.html").generate(
            title=self._title,
            hidden=self._hidden,
            finished=self._finished,
            rows=self._rows,
            apart=self._apart,
            statistics=self._statistics,
            keys=_json([row.keys for row in self._rows]),
            details=self._pieces(),
            policy=policy(style, script),
            style=style,
            script=script,
        )
        self._details.close()

    def _pieces(self) -> Iterator[str]:
        self._details.seek(0)
        while piece := self._details.read(_PIECE):
            yield piece


def _json(value: object) -> str:
    """JSON that is no markup either, whatever the text in it."""
    return json.dumps(value, separators=(",", ":")).replace("<", r"\u003c")
