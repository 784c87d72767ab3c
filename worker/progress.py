"""The batch's progress blobs: a line for each finished job, many jobs' lines in one append."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Protocol
from weakref import WeakValueDictionary


class Appends(Protocol):
    """What is needed of the blob store; see ``worker.blobs.Blobs``."""

    async def append(self, blob: str, data: bytes) -> bool: ...  # noqa: D102 - the adapter says


@dataclass(eq=False)
class _Group:
    """Lines that go into one append, and that append."""

    lines: list[bytes] = field(default_factory=list)
    task: asyncio.Task[None] | None = None


class Progress:
    """Appends lines to ``<results container>/<batch>/_batch/progress-NNNNN.jsonl``, at least once each."""

    def __init__(self, blobs: Appends, container: str) -> None:
        self._blobs, self._container = blobs, container
        self._open: dict[str, _Group] = {}
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._numbers: dict[str, int] = {}

    async def add(self, batch: str, line: bytes) -> None:
        """Wait until the line is stored. What comes while an append is under way shares the next one."""
        group = self._open.get(batch)
        if group is None:
            group = self._open[batch] = _Group()
            group.task = asyncio.create_task(self._append(batch, group))
        group.lines.append(line)
        assert group.task is not None  # noqa: S101 - set with the group, for the type checker
        await asyncio.shield(group.task)

    async def _append(self, batch: str, group: _Group) -> None:
        turn = self._turns.setdefault(batch, asyncio.Lock())
        async with turn:
            del self._open[batch]
            data = b"".join(group.lines)
            while not await self._blobs.append(self._blob(batch), data):
                self._numbers[batch] = self._numbers.get(batch, 0) + 1

    def _blob(self, batch: str) -> str:
        return f"{self._container}/{batch}/_batch/progress-{self._numbers.get(batch, 0):05d}.jsonl"
