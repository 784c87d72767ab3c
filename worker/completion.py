"""The record that a batch is complete: every job of its manifest has a result. It is written once, by one.

Workers look for what they completed beside their jobs; whoever watches a batch or repairs it does the same
for workers that died before they could.
"""

from __future__ import annotations

import asyncio
import json
import math
import secrets
from collections import Counter, OrderedDict
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import structlog

from worker.batch import MAX_MANIFEST_BYTES, BatchError, Folder, read_manifest
from worker.clock import now
from worker.faults import AlreadyCommitted, BlobMissing, ConfigurationFault
from worker.outcomes import outcomes, told
from worker.parcels import Record, leave
from worker.watching import Finished, Progress

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from worker.batch import Store
    from worker.outbox import Outbox
    from worker.outcomes import Outcome

log = structlog.get_logger()
QUIET_SECONDS = 1.0  # after a job of a batch: while its jobs end one after another, nobody looks
LONGEST_PAUSE_SECONDS = 60.0
FORGETTING_SECONDS = 900.0  # without any news of a batch
MOST_BATCHES = 32
MOST_JOBS = 500_000  # whose ids are held, of all batches together
LOOKED_FOR = 200  # results whose line in the records may be lost
LOOK_SECONDS = 120.0
LAST_LOOK_SECONDS = 1.5  # a worker that stops waits for its duties no longer than two
_BYTES_A_SECOND = 1 << 20


def record_blob(folder: Folder) -> str:
    """Where the record lies, as ``container/name``."""
    return f"{folder.container}/{folder.batch}/_batch/complete.json"


async def read_completion(store: Store, folder: Folder) -> dict[str, Any] | None:
    """The record; None while there is none."""
    try:
        content = await store.read(record_blob(folder), limit=MAX_MANIFEST_BYTES)
    except BlobMissing:
        return None
    document: dict[str, Any] = json.loads(content.data)
    return document


async def complete(store: Store, folder: Folder) -> bool:
    """Write the record if the batch is complete; whether it was this call that made it complete.

    Of all that ever call this for a batch, exactly one is told so, unless that one dies before it hears.
    That it is to be told of is put into the outbox first, from where a worker takes it.

    Raises:
        BatchError: there is no such batch.
    """
    if await read_completion(store, folder):
        return False
    ids = [entry.id for entry in await read_manifest(store, folder)]
    known = await told(store, folder)
    if sum(job_id not in known for job_id in ids) > LOOKED_FOR:
        return False
    found = await outcomes(store, dict.fromkeys(ids, folder))
    if len(found) < len(ids):
        return False
    document = _document(folder, found.values())
    await leave(store, folder.container, Record(folder.batch, None, document["mark"]))
    return await _written(store, folder, document)


async def put_on_record(store: Store, folder: Folder) -> None:
    """Write the record if the batch is complete, for who sees that it is; who may only read leaves it."""
    with suppress(ConfigurationFault):
        await complete(store, folder)


async def is_complete(store: Store, folder: Folder) -> bool:
    """Whether a batch is complete; if the record is missing, it is written."""
    return await complete(store, folder) or await read_completion(store, folder) is not None


async def _written(store: Store, folder: Folder, document: dict[str, Any]) -> bool:
    """A write whose answer was lost finds its own record, by the mark in it."""
    try:
        await store.create(record_blob(folder), json.dumps(document, indent=1).encode())
    except AlreadyCommitted:
        standing = await read_completion(store, folder)
        return standing is not None and standing.get("mark") == document["mark"]
    return True


def _document(folder: Folder, found: Iterable[Outcome]) -> dict[str, Any]:
    ended = list(found)
    return {
        "version": 1,
        "batch": folder.batch,
        "completed_at": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "jobs": len(ended),
        "statuses": dict(Counter(outcome.status for outcome in ended)),
        "verdicts": dict(Counter(outcome.verdict for outcome in ended if outcome.verdict)),
        "not_graded": sum(not outcome.is_graded for outcome in ended),
        "mark": secrets.token_hex(8),
    }


@dataclass
class _Noted:
    """A batch of which this worker committed jobs, and how far it has been read."""

    due: float
    news_at: float
    pause: float = QUIET_SECONDS
    progress: Progress | None = None
    records: Finished | None = None
    has_manifest: bool = True

    @property
    def least_pause(self) -> float:
        """The more there is to read, the longer; longest where there is no manifest to go by."""
        if not self.has_manifest:
            return LONGEST_PAUSE_SECONDS
        return max(QUIET_SECONDS, self.records.size / _BYTES_A_SECOND if self.records else 0.0)


class Completions:
    """Looks for batches that this worker may have completed, a moment after it committed a job of theirs.

    What it knows of a batch is bounded, and it looks the more seldom the more there is to read and the less
    happens. A batch that many workers serve is looked for by each of them.
    """

    def __init__(self, store: Store, container: str, outbox: Outbox) -> None:
        self._store, self._container, self._outbox = store, container, outbox
        self._noted: OrderedDict[str, _Noted] = OrderedDict()
        self._changed = asyncio.Event()

    def committed(self, batch: str) -> None:
        """Note that a job of the batch is committed and told to its records."""
        noted = self._noted.setdefault(batch, _Noted(due=math.inf, news_at=0.0))
        self._noted.move_to_end(batch)
        due = now() + noted.least_pause
        if due < noted.due:
            self._changed.set()
        noted.due, noted.news_at, noted.pause = due, now(), noted.least_pause

    async def run(self) -> None:
        """Look at each batch when it is due. Ends when cancelled, after a last short look at all."""
        try:
            while True:
                self._forget()
                await self._wait(min((noted.due for noted in self._noted.values()), default=None))
                await self._look(now())
        except asyncio.CancelledError:
            with suppress(TimeoutError):
                async with asyncio.timeout(LAST_LOOK_SECONDS):
                    await self._look(math.inf)
            raise

    async def _look(self, due: float) -> None:
        for batch in [name for name, noted in self._noted.items() if noted.due <= due]:
            await self._look_at(batch, self._noted[batch])

    async def _wait(self, until: float | None) -> None:
        """Until then, or until something is due sooner."""
        with suppress(TimeoutError):
            async with asyncio.timeout_at(until):
                await self._changed.wait()
        self._changed.clear()

    async def _look_at(self, batch: str, noted: _Noted) -> None:
        """A look that fails is repeated later; whatever it is, a worker works on without it."""
        began = now()
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                is_done = await self._is_done(Folder(self._container, batch), noted)
        except BatchError:
            noted.has_manifest = is_done = False  # its jobs come from elsewhere
            noted.pause = noted.least_pause
        except Exception as error:  # noqa: BLE001 - see above
            log.warning("completion_unknown", batch=batch, reason=str(error) or type(error).__name__)
            is_done = False
        if is_done and noted.news_at <= began:
            self._noted.pop(batch, None)
        else:
            noted.due = now() + noted.pause
            noted.pause = min(noted.pause * 2, LONGEST_PAUSE_SECONDS)

    async def _is_done(self, folder: Folder, noted: _Noted) -> bool:
        if noted.progress is None or noted.records is None:
            if await read_completion(self._store, folder):
                return True
            noted.progress = Progress(entry.id for entry in await read_manifest(self._store, folder))
            noted.has_manifest = True
            noted.records = Finished(self._store, folder)
        if await noted.records.read(noted.progress):
            noted.news_at, noted.pause = now(), noted.least_pause
        if noted.progress.waiting:
            return False
        noted.progress = noted.records = None  # jobs may have been added: they are counted anew
        if await complete(self._store, folder):
            log.info("batch_completed", batch=folder.batch)
        record = await read_completion(self._store, folder)
        if record:
            await self._outbox.follow_up(folder.batch, None, str(record.get("mark")))
        return record is not None

    def _forget(self) -> None:
        """The oldest first, when there are too many; and those of which nothing was heard for long."""
        for batch in [name for name, noted in self._noted.items() if _is_stale(noted)]:
            del self._noted[batch]
        while len(self._noted) > MOST_BATCHES or _held(list(self._noted.values())) > MOST_JOBS:
            self._noted.popitem(last=False)


def _is_stale(noted: _Noted) -> bool:
    return now() - noted.news_at > FORGETTING_SECONDS


def _held(noted: Sequence[_Noted]) -> int:
    return sum(len(each.progress.waiting) for each in noted if each.progress)
