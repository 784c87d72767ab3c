"""What came out of a batch, for people and for programs. Output of programs is shown, never interpreted."""

from worker.report.documents import JsonArray, JsonLines
from worker.report.reading import MAX_RESULT_BYTES, READ_AHEAD, Outcome, Writer, write
from worker.report.table import Table
from worker.report.text import printable

__all__ = [
    "MAX_RESULT_BYTES",
    "READ_AHEAD",
    "JsonArray",
    "JsonLines",
    "Outcome",
    "Table",
    "Writer",
    "printable",
    "write",
]
