"""Which formats there are, and what writes them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from worker.report.documents import JsonArray, JsonLines
from worker.report.gradebook import Gradebook
from worker.report.html import HtmlReport
from worker.report.junit import JUnit
from worker.report.students import StudentPages
from worker.report.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from worker.report.reading import Writer

FORMATS = ("table", "jsonl", "json", "csv", "junit", "html")


@dataclass(frozen=True)
class Report:
    """A report that is wanted, on the jobs of a batch.

    ``width`` is a table's; ``pages`` is the folder for a page a student; ``names`` are shown for jobs without
    a result, by id; ``hidden`` says whether a page is for those who may see the hidden cases.
    """

    batch: str
    ids: Sequence[str]
    width: int
    names: Mapping[str, str] = field(default_factory=dict)
    pages: Path | None = None
    hidden: bool = True

    def writer(self, form: str | None) -> Writer:
        """What writes it in a format; the students' pages alone for None."""
        main = [self._writer(form)] if form else []
        pages = [StudentPages(self.pages, self.batch, self.names)] if self.pages else []
        return Together([*main, *pages])

    def _writer(self, form: str) -> Writer:
        match form:
            case "table":
                return Table(self.ids, self.width)
            case "csv":
                return Gradebook(self.names)
            case "junit":
                return JUnit(self.batch, self.names)
            case "html":
                return HtmlReport(self.batch, len(self.ids), self.names, hidden=self.hidden)
        return JsonLines() if form == "jsonl" else JsonArray()


class Together:
    """Writers that are given the same results."""

    def __init__(self, writers: Sequence[Writer]) -> None:
        self._writers = writers

    def begin(self) -> str:
        """What stands before the first."""
        return "".join(writer.begin() for writer in self._writers)

    def result(self, result: dict[str, Any], number: int) -> str:
        """One result."""
        return "".join(writer.result(result, number) for writer in self._writers)

    def missing(self, job_id: str) -> str:
        """A job that has no result."""
        return "".join(writer.missing(job_id) for writer in self._writers)

    def end(self, number: int) -> Iterator[str]:
        """What stands after the last."""
        for writer in self._writers:
            yield from writer.end(number)
