"""Watching a batch: its records of finished jobs are read as they grow."""

from __future__ import annotations

import asyncio
import json
from collections import Counter, deque
from typing import TYPE_CHECKING

from worker.batch import MAX_MANIFEST_BYTES, Folder, Store
from worker.faults import BlobMissing

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable

SOONEST_SECONDS = 0.2
LATEST_SECONDS = 2.0
QUIET_SECONDS = 10.0
LOOKED_FOR = 200
LINES_AT_ONCE = 500
_BYTES_A_SECOND = 1 << 20  # what a second is taken to read of records that are read again and again


class Progress:
    """How far a batch is. Of several lines for one job the first counts."""

    def __init__(self, ids: Iterable[str]) -> None:
        self.waiting = dict.fromkeys(ids)
        self.total = len(self.waiting)
        self.statuses: Counter[str] = Counter()
        self.verdicts: Counter[str] = Counter()
        self._ungraded: Counter[str] = Counter()

    @property
    def done(self) -> int:
        """How many jobs have a result."""
        return self.total - len(self.waiting)

    @property
    def counts(self) -> Counter[str]:
        """How many came to what: each job by its verdict, or by its status where it has none."""
        return self.verdicts + self._ungraded

    def take(self, line: bytes) -> bool:
        """Count a line of a record, or a result; False when it says nothing new."""
        result = json.loads(line)
        if result["id"] not in self.waiting:
            return False
        del self.waiting[result["id"]]
        self.statuses[result["status"]] += 1
        if result.get("verdict"):
            self.verdicts[result["verdict"]] += 1
        else:
            self._ungraded[result["status"]] += 1
        return True


class Pace:
    """Jobs a second, over the last half minute."""

    WINDOW_SECONDS = 30.0

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def saw(self, now: float, done: int) -> None:
        """Note how many jobs were done at a time, in seconds of any clock."""
        self._seen.append((now, done))
        while now - self._seen[0][0] > self.WINDOW_SECONDS:
            self._seen.popleft()

    @property
    def rate(self) -> float:
        """Jobs a second; 0.0 while it is not known."""
        (start, before), (end, done) = self._seen[0], self._seen[-1]
        return (done - before) / (end - start) if end > start else 0.0

    def seconds_left(self, total: int) -> float | None:
        """Until all jobs are done at this pace; None while it is not known."""
        return (total - self._seen[-1][1]) / self.rate if self.rate else None


async def follow(
    store: Store,
    folder: Folder,
    ids: Iterable[str],
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> AsyncGenerator[Progress]:
    """The progress of a batch after each look at it, until all of its jobs have a result."""
    progress = Progress(ids)
    records = Finished(store, folder)
    wait, quiet, patience = SOONEST_SECONDS, 0.0, QUIET_SECONDS
    while True:
        news = await records.read(progress)
        if not news and quiet >= patience:
            news = await _look_for_results(store, folder, progress)
            quiet, patience = 0.0, min(patience * 2, 6 * QUIET_SECONDS)
        yield progress
        if not progress.waiting:
            return
        wait = SOONEST_SECONDS if news else wait * 1.5
        wait = min(max(wait, records.size / _BYTES_A_SECOND), LATEST_SECONDS)
        quiet = 0.0 if news else quiet + wait
        await pause(wait)


class Finished:
    """The records of finished jobs, and how far each was read."""

    def __init__(self, store: Store, folder: Folder) -> None:
        self._store, self._folder = store, folder
        self._read: dict[str, int] = {}

    @property
    def size(self) -> int:
        """How many bytes a look reads."""
        return sum(self._read.values())

    async def read(self, progress: Progress) -> bool:
        """Take what is new; whether there was anything."""
        news = False
        async for name in self._store.names(self._folder.container, self._folder.progress_prefix):
            data = (await self._store.read(f"{self._folder.container}/{name}", limit=MAX_MANIFEST_BYTES)).data
            end = data.rfind(b"\n") + 1
            lines = data[self._read.get(name, 0) : end].splitlines()
            self._read[name] = end
            for start in range(0, len(lines), LINES_AT_ONCE):
                news |= sum(progress.take(line) for line in lines[start : start + LINES_AT_ONCE]) > 0
                await asyncio.sleep(0)  # a worker has jobs beside this
        return news


async def _look_for_results(store: Store, folder: Folder, progress: Progress) -> bool:
    """Look for results whose line was lost with the worker that was to write it."""
    news = False
    for job_id in list(progress.waiting)[:LOOKED_FOR]:
        try:
            content = await store.read(folder.result(job_id), limit=MAX_MANIFEST_BYTES)
        except BlobMissing:
            continue
        news |= progress.take(content.data)
    return news
