"""A page for each student, to hand out: without scripts, and without what hidden cases hide."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from worker.report.details import Room, details
from worker.report.page import policy, source, template
from worker.report.standing import missing, standing
from worker.report.text import number

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from worker.report.standing import Standing

_CHARS = 500_000


class StudentPages:
    """Writes ``<id>.html`` for each job into a folder, and nothing into the stream."""

    def __init__(self, folder: Path, title: str, names: Mapping[str, str]) -> None:
        self._folder, self._title, self._names = folder, title, names

    def begin(self) -> str:
        """Make the folder."""
        self._folder.mkdir(parents=True, exist_ok=True)
        return ""

    def result(self, result: dict[str, Any], _number: int) -> str:
        """Write a page."""
        self._write(standing(result), details(result, Room(_CHARS), hidden=False))
        return ""

    def missing(self, job_id: str) -> str:
        """Write a page that says so."""
        self._write(missing(job_id, self._names), {"facts": [], "cases": []})
        return ""

    def end(self, _number: int) -> tuple[str, ...]:
        """Nothing."""
        return ()

    def _write(self, where: Standing, told: dict[str, Any]) -> None:
        style = source("report.css")
        score = (
            None
            if where.points is None or where.of is None
            else f"{number(where.points)} / {number(where.of)}"
        )
        text = template("student.html").render(
            title=self._title, where=where, score=score, told=told, style=style, policy=policy(style)
        )
        (self._folder / f"{where.id}.html").write_text(text, encoding="utf-8")
