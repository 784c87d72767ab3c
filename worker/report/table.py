"""Results for a terminal."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len, set_cell_size

from worker.report.standing import standing
from worker.report.text import counted, number, printable

if TYPE_CHECKING:
    from collections.abc import Sequence

_THROWN = re.compile(r"(Uncaught )?[\w.]*(Error|Exception)\b")
_HEADINGS = ("ID", "STATUS", "EXIT", "SECONDS", "ATTEMPTS", "OUTPUT")


class Table:
    """A line a job, no wider than told, and the totals."""

    def __init__(self, ids: Sequence[str], width: int) -> None:
        self._id_width = min(max((len(job_id) for job_id in ids), default=2), 40)
        self._width = width
        self._totals: Counter[str] = Counter()

    def begin(self) -> str:
        """The headings."""
        return self._row(_HEADINGS)

    def result(self, result: dict[str, Any], _number: int) -> str:
        """What matters of a result at a glance."""
        status = result.get("verdict") or result["status"]
        self._totals[status] += 1
        columns = (
            result["id"],
            f"{status} {_score(result)}".rstrip(),
            _ended(result),
            _seconds(result),
            str(result.get("attempts", 1)),
            _gist(result),
        )
        return self._row(columns)

    def missing(self, _job_id: str) -> str:
        """Nothing but a count at the end."""
        self._totals["without a result"] += 1
        return ""

    def end(self, _number: int) -> tuple[str, ...]:
        """How many there are of each verdict or status."""
        if not self._totals:
            return ()
        parts = ", ".join(f"{count:,} {word}" for word, count in self._totals.most_common())
        return (f"\n{counted(self._totals.total(), 'job')}: {parts}\n",)

    def _row(self, columns: tuple[str, ...]) -> str:
        job_id, status, exit_code, seconds, attempts, text = columns
        row = f"{job_id:<{self._id_width}}  {status:<21}  {exit_code:>7}  {seconds:>7}  {attempts:>8}  {text}"
        return _cut(row, self._width).rstrip() + "\n"


def _score(result: dict[str, Any]) -> str:
    where = standing(result)
    return "" if where.points is None or where.of is None else f"{number(where.points)}/{number(where.of)}"


def _ended(result: dict[str, Any]) -> str:
    ended = result.get("signal") if result.get("exit_code") is None else result["exit_code"]
    return "" if ended is None else str(ended)


def _seconds(result: dict[str, Any]) -> str:
    duration = (result.get("timings") or {}).get("execute_ms")
    return "" if duration is None else f"{duration / 1000:.2f}"


def _gist(result: dict[str, Any]) -> str:
    """What the program said, in a line; of one that could not be run or was stopped, why."""
    stdout, stderr = (_lines((result.get(stream) or {}).get("text", "")) for stream in ("stdout", "stderr"))
    message = _message(result.get("error") or {})
    thrown = [line for line in stderr if _THROWN.match(line)]
    ran = result["status"] in {"succeeded", "failed"}
    lines = [*stdout, *thrown, *message, *stderr] if ran else [*message, *stdout, *stderr]
    return printable(lines[0]) if lines else ""


def _message(error: dict[str, Any]) -> list[str]:
    field, lines = error.get("field"), _lines(error.get("message", ""))
    return [f"{field}: {lines[0]}"] if field and lines and not lines[0].startswith(field) else lines


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text[:4000].splitlines() if line.strip()]


def _cut(row: str, width: int) -> str:
    return row if cell_len(row) <= width else set_cell_size(row, width - 1) + "…"
