"""The outbox: what is to be sent once a result, or the record of a complete batch, stands.

The messages are written beside the results before the commit, under the name of the attempt. After it they
are sent and the record is deleted. A worker that dies between leaves the record, and each worker looks for
such: it sends what belongs to the attempt that was committed, and drops what does not. So each message is
sent at least once, and none of an attempt that came to nothing.
"""

from __future__ import annotations

import asyncio
import json
import random
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

import structlog

from worker.clock import now
from worker.faults import BlobMissing, BlobTooLarge
from worker.parcels import PREFIX, Keeps, Parcel, Record, decoded, leave, prefix_of
from worker.result import Result, result_blob

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from worker.destinations import Destination
    from worker.inputs import Content

log = structlog.get_logger()
LOOK_SECONDS = 10.0
YOUNG_SECONDS = 30.0  # whoever wrote it is about to send it
FORGOTTEN = timedelta(days=14)  # of an attempt that neither ended nor gave way to another
SEND_SECONDS = 10.0  # of a message; what takes longer is sent by a later look
REST_SECONDS = 30.0  # of a destination that failed, so that it does not hold up one job after the other
MOST_BYTES = 16 << 20
MOST_COMMIT_BYTES = 64 << 20
MOST_AT_ONCE = 500


class Store(Keeps, Protocol):
    """What is needed of the blob store besides."""

    async def read(self, blob: str, *, limit: int) -> Content: ...  # noqa: D102

    async def put(self, blob: str, data: bytes) -> str: ...  # noqa: D102

    async def metadata(self, blob: str) -> dict[str, str]: ...  # noqa: D102

    async def delete(self, blob: str) -> None: ...  # noqa: D102

    def names(self, container: str, prefix: str) -> AsyncIterator[str]: ...  # noqa: D102

    async def older(self, container: str, prefix: str, than: datetime) -> list[str]: ...  # noqa: D102


class Post(Protocol):
    """Sends a message to where it is to go; see ``worker.posting.Posting``."""

    async def post(self, parcel: Parcel) -> None: ...  # noqa: D102 - the adapter says


class Tells(Protocol):
    """Who is told of what; see ``worker.announcing.Announcements``."""

    def of_job(self, result: Result, attempt: str, reply_to: tuple[Destination, ...]) -> Record | None: ...  # noqa: D102

    def of_batch(self, record: dict[str, Any]) -> Record | None: ...  # noqa: D102


@dataclass(frozen=True)
class Sending:
    """What a worker sends with."""

    post: Post
    tells: Tells


class Outbox:
    """Keeps and sends records.

    Args:
        store: the blobs.
        container: of the results.
        sending: how a worker sends; None of a command, which leaves that to workers.
    """

    def __init__(self, store: Store, container: str, sending: Sending | None = None) -> None:
        self._store, self._container, self._sending = store, container, sending
        self._troubles: dict[str, str] = {}
        self._resting: dict[tuple[str, str], float] = {}

    async def put(self, record: Record) -> None:
        """Keep a record, before the commit that it belongs to; done too when it is there."""
        await leave(self._store, self._container, record)

    async def send(self, record: Record) -> None:
        """Send what belongs to a commit that stands; what cannot be sent stays for later. Raises nothing.

        The job has its result, so whatever is wrong here must not be taken for a failure of the job.
        """
        if self._sending is None:
            return
        try:
            await self._sent(record, self._sending)
        except Exception as error:  # noqa: BLE001 - see above
            self._tell(record.name, str(error) or repr(error))

    async def follow_up(self, batch: str, job: str | None, committed: str) -> None:
        """Send what a job or batch has left, by the attempt or mark that was committed."""
        names = [name async for name in self._store.names(self._container, prefix_of(batch, job))]
        for name in names:
            record = await self._read(name)
            if record and record.mark == committed:
                await self.send(record)
            elif record and not await self._may_replace(record):
                await self.drop(record)

    async def drop(self, record: Record) -> None:
        """Forget what belongs to no commit, or is sent."""
        await self._store.delete(f"{self._container}/{record.name}")
        self._troubles.pop(record.name, None)

    async def run(self) -> None:
        """Look every few seconds for what was left behind. Ends when cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS * random.uniform(0.8, 1.2))  # noqa: S311 - jitter
            try:
                await self.look()
            except Exception as error:  # noqa: BLE001 - jobs must go on, and the next look may fare better
                self._tell(PREFIX, str(error) or repr(error))
            else:
                self._troubles.pop(PREFIX, None)

    async def look(self) -> None:
        """Deal with the records that are old enough; one that fails does not keep the others.

        Raises:
            ServiceFault: of the blob store.
        """
        time = datetime.now(UTC)
        names = await self._store.older(self._container, PREFIX, time - timedelta(seconds=YOUNG_SECONDS))
        old = set(await self._store.older(self._container, PREFIX, time - FORGOTTEN)) if names else set()
        for name in random.sample(names, min(len(names), MOST_AT_ONCE)):
            try:
                record = await self._read(name)
                if record is not None:
                    await self._deal(record, is_old=name in old)
            except (BlobMissing, BlobTooLarge, ValueError) as error:
                self._tell(name, str(error) or repr(error))

    async def _deal(self, record: Record, *, is_old: bool) -> None:
        committed = await self._committed(record)
        if committed == record.mark:
            await self.send(record)
        elif committed is not None and not await self._may_replace(record):
            await self.drop(record)
        elif committed is None and is_old:
            log.warning("outbox_record_dropped", record=record.name, reason="nothing came to be committed")
            await self.drop(record)

    async def _may_replace(self, record: Record) -> bool:
        if record.replaces is None:
            return False
        standing = await self._store.read(self._commit_of(record), limit=MOST_COMMIT_BYTES)
        return standing.etag == record.replaces

    async def _committed(self, record: Record) -> str | None:
        """The attempt, or the mark, that was committed; None while there is none."""
        try:
            if record.job is not None:
                return (await self._store.metadata(self._commit_of(record))).get("attempt", "")
            content = await self._store.read(self._commit_of(record), limit=MOST_COMMIT_BYTES)
        except BlobMissing:
            return None
        return str(json.loads(content.data).get("mark"))

    async def _told_of(self, record: Record, tells: Tells) -> tuple[Parcel, ...]:
        """What a command has left for a worker to put together."""
        content = await self._store.read(self._commit_of(record), limit=MOST_COMMIT_BYTES)
        if record.job is None:
            whole = tells.of_batch(json.loads(content.data))
        else:
            whole = tells.of_job(Result.model_validate_json(content.data), record.mark, ())
        return (whole and whole.parcels) or ()

    def _commit_of(self, record: Record) -> str:
        name = result_blob(record.batch, record.job) if record.job else f"{record.batch}/_batch/complete.json"
        return f"{self._container}/{name}"

    async def _sent(self, record: Record, sending: Sending) -> None:
        """What is left is kept without what was sent, lest that be sent for as long as the rest fails."""
        parcels = record.parcels
        if parcels is None:
            parcels = await self._told_of(record, sending.tells)
        left = [parcel for parcel in parcels if not await self._posted(record, parcel, sending.post)]
        if not left:
            await self.drop(record)
        elif len(left) < len(parcels):
            rest = replace(record, parcels=tuple(left))
            await self._store.put(f"{self._container}/{record.name}", rest.encoded())

    async def _posted(self, record: Record, parcel: Parcel, post: Post) -> bool:
        key = parcel.destination.key
        if now() < self._resting.get(key, 0.0):
            return False
        try:
            async with asyncio.timeout(SEND_SECONDS):
                await post.post(parcel)
        except Exception as error:  # noqa: BLE001 - it is the destination's alone, and tried again
            self._resting[key] = now() + REST_SECONDS
            self._tell(record.name, str(error) or "it takes too long")
            return False
        self._resting.pop(key, None)
        return True

    async def _read(self, name: str) -> Record | None:
        """A record; None when somebody else has dealt with it, or made it up."""
        try:
            content = await self._store.read(f"{self._container}/{name}", limit=MOST_BYTES)
            return decoded(name, content.data)
        except BlobMissing:
            return None
        except ValueError as error:
            self._tell(name, str(error))
            return None

    def _tell(self, name: str, reason: str) -> None:
        """Once, and again when the reason changes."""
        if self._troubles.get(name) != reason:
            log.warning("events_postponed", record=name, reason=reason)
        self._troubles[name] = reason
