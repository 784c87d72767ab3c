"""A gradebook: comma-separated values for a spreadsheet, a row a student and a column a case."""

from __future__ import annotations

import csv
import io
import json
from tempfile import SpooledTemporaryFile
from typing import TYPE_CHECKING, Any

from worker.report.standing import MAX_COLUMNS, case_names, missing, standing
from worker.report.text import number, readable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from worker.report.standing import Standing

BYTE_ORDER_MARK = "\ufeff"  # without it Excel takes UTF-8 for something else
_MEMORY_BYTES = 4 << 20
_HEADINGS = ("student", "id", "status", "verdict", "points", "of")
_FORMULA = tuple("=+-@\uff1d\uff0b\uff0d\uff20")  # the last four are full-width ones


class Gradebook:
    """Rows wait in a file until the columns are known: cases may differ between jobs."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = names
        self._columns: dict[str, int] = {}
        self._rows = SpooledTemporaryFile(  # noqa: SIM115 - closed at the end
            _MEMORY_BYTES, "w+", encoding="utf-8", newline="\n"
        )

    def begin(self) -> str:
        """The byte order mark."""
        return BYTE_ORDER_MARK

    def result(self, result: dict[str, Any], _number: int) -> str:
        """Nothing yet; the row is kept."""
        where, cases = standing(result), result.get("cases") or ()
        points = {
            self._column(name): case["points"] for name, case in zip(case_names(cases), cases, strict=True)
        }
        self._keep(where, result["status"], result.get("verdict"), {} if where.not_graded else points)
        return ""

    def missing(self, job_id: str) -> str:
        """Nothing yet; the row is kept."""
        self._keep(missing(job_id, self._names), "", None, {})
        return ""

    def end(self, _number: int) -> Iterator[str]:
        """The headings and the rows."""
        yield _line([*_HEADINGS, *map(cell, self._columns)])
        self._rows.seek(0)
        for line in self._rows:
            fixed, points = json.loads(line)
            yield _line([*fixed, *(points.get(str(at), "") for at in range(len(self._columns)))])
        self._rows.close()

    def _column(self, name: str) -> int:
        """Where a case's points stand; those of too many cases are left to the column ``points``."""
        if name not in self._columns and len(self._columns) == MAX_COLUMNS:
            return MAX_COLUMNS
        return self._columns.setdefault(name, len(self._columns))

    def _keep(self, where: Standing, status: str, verdict: str | None, points: dict[int, float]) -> None:
        shown = f"not graded: {where.not_graded}" if where.not_graded else status
        score = ["" if value is None else number(value) for value in (where.points, where.of)]
        fixed = [cell(where.name), cell(where.id), shown, verdict or "", *score]
        row = [fixed, {at: number(value) for at, value in points.items()}]
        self._rows.write(json.dumps(row, separators=(",", ":")) + "\n")


def cell(text: str) -> str:
    """Text that no spreadsheet takes for a formula; tabs and line ends may begin one too, and are escapes."""
    shown = readable(text)
    return "'" + shown if shown.startswith(_FORMULA) else shown


def _line(values: list[str]) -> str:
    line = io.StringIO()
    csv.writer(line).writerow(values)
    return line.getvalue()
