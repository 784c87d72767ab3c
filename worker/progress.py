"""The batch's progress blobs: a line for each finished job, many jobs' lines in one append."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Protocol
from weakref import WeakValueDictionary

REST_SECONDS = 0.05  # between two appends: the lines of that time share one


class Appends(Protocol):
    """What is needed of the blob store; see ``worker.blobs.Blobs``."""

    async def append(self, blob: str, data: bytes) -> bool: ...  # noqa: D102 - the adapter says


@dataclass(eq=False)
class _Batch:
    """Whose turn it is to append, the lines that wait for it, and the number of the batch's present blob."""

    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    lines: list[bytes] = field(default_factory=list)
    stored: asyncio.Future[None] | None = None
    number: int = 0


class Progress:
    """Appends lines to ``<results container>/<batch>/_batch/progress-NNNNN.jsonl``, at least once each."""

    def __init__(self, blobs: Appends, container: str) -> None:
        self._blobs, self._container = blobs, container
        self._batches: WeakValueDictionary[str, _Batch] = WeakValueDictionary()
        self._appends: set[asyncio.Task[None]] = set()

    async def add(self, batch: str, line: bytes) -> None:
        """Wait until the line is stored. What comes while an append is under way shares the next one."""
        state = self._batches.setdefault(batch, _Batch())
        if state.stored is None:
            state.stored = asyncio.get_running_loop().create_future()
            task = asyncio.create_task(self._append(batch, state, state.stored))
            self._appends.add(task)
            task.add_done_callback(self._appends.discard)
        state.lines.append(line)
        await asyncio.shield(state.stored)

    async def _append(self, batch: str, state: _Batch, stored: asyncio.Future[None]) -> None:
        async with state.turn:
            data = b"".join(state.lines)
            state.lines, state.stored = [], None
            try:
                while not await self._blobs.append(self._blob(batch, state.number), data):
                    state.number += 1
            except Exception as error:  # noqa: BLE001 - whatever it is, it is for those that wait for the lines
                stored.set_exception(error)
            else:
                stored.set_result(None)
            await asyncio.sleep(REST_SECONDS)

    def _blob(self, batch: str, number: int) -> str:
        return f"{self._container}/{batch}/_batch/progress-{number:05d}.jsonl"
