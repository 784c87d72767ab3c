"""Reading a batch's results, a few at a time, and handing them to what writes them."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from worker.faults import BlobMissing

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import TextIO

    from worker.batch import Store

MAX_RESULT_BYTES = 64 << 20
READ_AHEAD = 16
_HIDDEN = ("stdout", "stderr", "diff", "message")


@dataclass
class Outcome:
    """What a report found: how many results, which are missing, and how many fell short of success."""

    written: int = 0
    missing: list[str] = field(default_factory=list)
    short: int = 0


class Places(Protocol):
    """Where a batch's results are: a ``worker.batch.Folder``, or a ``worker.views.View`` of several."""

    @property
    def batch(self) -> str:
        """The name of the batch."""

    def result(self, job_id: str) -> str:
        """A job's result, as ``container/name``."""


class Writer(Protocol):
    """Writes results in one format."""

    def begin(self) -> str:
        """What stands before the first."""

    def result(self, result: dict[str, Any], number: int) -> str:
        """One result, the first of which has number 0."""

    def missing(self, job_id: str) -> str:
        """A job that has no result."""

    def end(self, number: int) -> Iterable[str]:
        """What stands after the last of so many results, in pieces."""


async def write(  # noqa: PLR0913 - what is read, and how it is written
    store: Store, places: Places, ids: Iterable[str], writer: Writer, out: TextIO, *, hidden: bool = False
) -> Outcome:
    """Write a batch's results in the order of the ids, a few at a time in memory.

    With ``hidden``, results come with what their hidden cases left, as far as it is stored.
    """
    outcome = Outcome()
    ahead: deque[tuple[str, asyncio.Task[dict[str, Any] | None]]] = deque()
    out.write(writer.begin())
    async with asyncio.TaskGroup() as group:
        for job_id in ids:
            ahead.append((job_id, group.create_task(_result(store, places, job_id, hidden=hidden))))
            if len(ahead) == READ_AHEAD:
                await _write_first(ahead, writer, out, outcome)
        while ahead:
            await _write_first(ahead, writer, out, outcome)
    out.writelines(writer.end(outcome.written))
    return outcome


async def _write_first(
    ahead: deque[tuple[str, asyncio.Task[dict[str, Any] | None]]],
    writer: Writer,
    out: TextIO,
    outcome: Outcome,
) -> None:
    job_id, task = ahead.popleft()
    result = await task
    if result is None:
        outcome.missing.append(job_id)
        out.write(writer.missing(job_id))
        return
    out.write(writer.result(result, outcome.written))
    outcome.written += 1
    outcome.short += result["status"] != "succeeded" or result.get("verdict") not in {None, "accepted"}


async def _result(store: Store, places: Places, job_id: str, *, hidden: bool) -> dict[str, Any] | None:
    result = await _document(store, places.result(job_id))
    if hidden and result and result.get("hidden_blob"):
        left = await _document(store, result["hidden_blob"]) or {}
        for index, case in enumerate(result.get("cases") or ()):
            if case.get("hidden"):
                case.update({name: left[str(index)].get(name) for name in _HIDDEN if str(index) in left})
    return result


async def _document(store: Store, blob: str) -> dict[str, Any] | None:
    try:
        data = (await store.read(blob, limit=MAX_RESULT_BYTES)).data
    except BlobMissing:
        return None
    document: dict[str, Any] = json.loads(data)
    return document
