"""What came out of a batch, for people and for programs. Output of programs is shown, never interpreted."""

from __future__ import annotations

import asyncio
import json
import re
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from rich.cells import cell_len, set_cell_size

from worker.faults import BlobMissing

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import TextIO

    from worker.batch import Store

MAX_RESULT_BYTES = 64 << 20
READ_AHEAD = 16
_THROWN = re.compile(r"(Uncaught )?[\w.]*(Error|Exception)\b")
_HEADINGS = ("ID", "STATUS", "EXIT", "SECONDS", "ATTEMPTS", "OUTPUT")


@dataclass
class Outcome:
    """What a report found: how many results, which are missing, and how many fell short of success."""

    written: int = 0
    missing: list[str] = field(default_factory=list)
    short: int = 0


class Writer(Protocol):
    """Writes results in one format."""

    def begin(self) -> str:
        """What stands before the first."""

    def result(self, result: dict[str, Any], number: int) -> str:
        """One result, the first of which has number 0."""

    def end(self, number: int) -> str:
        """What stands after the last of so many."""


class Places(Protocol):
    """Where results are: a ``Folder``, or a ``worker.views.View`` of several."""

    def result(self, job_id: str) -> str:
        """A job's result, as ``container/name``."""


async def write(store: Store, folder: Places, ids: Iterable[str], writer: Writer, out: TextIO) -> Outcome:
    """Write a batch's results in the order of the ids, a few at a time in memory."""
    outcome = Outcome()
    ahead: deque[tuple[str, asyncio.Task[bytes | None]]] = deque()
    out.write(writer.begin())
    async with asyncio.TaskGroup() as group:
        for job_id in ids:
            ahead.append((job_id, group.create_task(_result(store, folder, job_id))))
            if len(ahead) == READ_AHEAD:
                await _write_first(ahead, writer, out, outcome)
        while ahead:
            await _write_first(ahead, writer, out, outcome)
    out.write(writer.end(outcome.written))
    return outcome


class JsonLines:
    """One document a line, in ASCII, so that no reader takes U+2028 for a line end."""

    def begin(self) -> str:
        """Nothing."""
        return ""

    def result(self, result: dict[str, Any], _number: int) -> str:
        """The document on a line."""
        return json.dumps(result, separators=(",", ":")) + "\n"

    def end(self, _number: int) -> str:
        """Nothing."""
        return ""


class JsonArray:
    """All documents as one array."""

    def begin(self) -> str:
        """The opening bracket."""
        return "["

    def result(self, result: dict[str, Any], number: int) -> str:
        """The document, after a comma but for the first."""
        return (",\n" if number else "\n") + json.dumps(result, separators=(",", ":"))

    def end(self, number: int) -> str:
        """The closing bracket."""
        return "\n]\n" if number else "]\n"


class Table:
    """A line a job, no wider than told."""

    def __init__(self, ids: Sequence[str], width: int) -> None:
        self._id_width = min(max((len(job_id) for job_id in ids), default=2), 40)
        self._width = width

    def begin(self) -> str:
        """The headings."""
        return self._row(_HEADINGS)

    def result(self, result: dict[str, Any], _number: int) -> str:
        """What matters of a result at a glance."""
        columns = (
            result["id"],
            result.get("verdict") or result["status"],
            _ended(result),
            _seconds(result),
            str(result.get("attempts", 1)),
            _gist(result),
        )
        return self._row(columns)

    def end(self, _number: int) -> str:
        """Nothing."""
        return ""

    def _row(self, columns: tuple[str, ...]) -> str:
        job_id, status, exit_code, seconds, attempts, text = columns
        row = f"{job_id:<{self._id_width}}  {status:<21}  {exit_code:>7}  {seconds:>7}  {attempts:>8}  {text}"
        return _cut(row, self._width).rstrip() + "\n"


def printable(text: str) -> str:
    """Text with all that a terminal would act upon shown escaped: controls, ANSI, changes of direction."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "replace").decode() for c in text)


async def _write_first(
    ahead: deque[tuple[str, asyncio.Task[bytes | None]]], writer: Writer, out: TextIO, outcome: Outcome
) -> None:
    job_id, task = ahead.popleft()
    data = await task
    if data is None:
        outcome.missing.append(job_id)
        return
    result = json.loads(data)
    out.write(writer.result(result, outcome.written))
    outcome.written += 1
    outcome.short += result["status"] != "succeeded" or result.get("verdict") not in {None, "accepted"}


async def _result(store: Store, folder: Places, job_id: str) -> bytes | None:
    try:
        return (await store.read(folder.result(job_id), limit=MAX_RESULT_BYTES)).data
    except BlobMissing:
        return None


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
