"""Explaining: the story of one job, from what the batch, the queue and the dead letters have of it."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from worker.batch import BatchError, read_manifest
from worker.cancelling import marker
from worker.faults import BlobMissing, JobRejected
from worker.following import ALONE, Near, near
from worker.reconciling import PAUSE_SECONDS
from worker.records import Records
from worker.report import MAX_RESULT_BYTES
from worker.strict_json import parse_json

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from worker.batch import Entry, Folder, Store
    from worker.reconciling import Looks
    from worker.seen import Seen


@dataclass(frozen=True)
class Story:
    """What is known of one job.

    Attributes:
        has_manifest: whether its batch has one; jobs that come from elsewhere have none.
        entry: its entry there.
        sent: whether it is recorded as sent.
        message: its message in the queue, if any.
        ahead: how many messages stand before that one.
        dead: its dead letters.
        result: its result's document, if it has ended.
        leftovers: blobs of attempts that the result does not name.
        cancelled: whether it, or its batch, is cancelled.
        near: what stands before and after it in a chain.
    """

    batch: str
    id: str
    has_manifest: bool
    entry: Entry | None
    sent: bool
    message: Seen | None
    ahead: int
    dead: tuple[Seen, ...]
    result: dict[str, Any] | None
    leftovers: tuple[str, ...]
    cancelled: bool
    near: Near = ALONE

    @property
    def is_nowhere(self) -> bool:
        """Whether nothing of it can lead to a result."""
        return not self.message and not self.dead and self.result is None


async def story(
    store: Store,
    queue: Looks,
    folder: Folder,
    job_id: str,
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> Story:
    """Look for a job everywhere; a second time if it is nowhere, since its message may be on the way.

    Raises:
        BatchError: there is no trace of it.
    """
    found = await _look(store, queue, folder, job_id)
    if found.is_nowhere:
        await pause(PAUSE_SECONDS)
        found = await _look(store, queue, folder, job_id)
    if found.is_nowhere and not found.entry and not found.leftovers and not found.near.awaited:
        raise BatchError(
            f"there is no trace of a job {job_id!r} in the batch {folder.batch!r}: check both names "
            "(the batch is 'default' if none is given)"
        )
    return found


def moment(when: datetime, now: datetime | None = None) -> str:
    """A time for people, in UTC; with its date unless that is today."""
    when, now = when.astimezone(UTC), now or datetime.now(UTC)
    return f"{when:%H:%M:%S} UTC" if when.date() == now.date() else f"{when:%Y-%m-%d %H:%M:%S} UTC"


def counted(number: int, noun: str) -> str:
    """How many of something, in words: ``1 job``, ``2 jobs``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


async def _look(store: Store, queue: Looks, folder: Folder, job_id: str) -> Story:
    """The result is looked for after the messages: a message is completed only after its result is there."""
    has_manifest, entry = await _entry(store, folder, job_id)
    sent = job_id in await Records(store, folder).sent()
    message, ahead = await _in_queue(queue, folder.batch, job_id)
    dead = await _dead(queue, folder.batch, job_id)
    result = await _result(store, folder, job_id)
    document = result or _document([message] if message else dead)
    return Story(
        batch=folder.batch,
        id=job_id,
        has_manifest=has_manifest,
        entry=entry,
        sent=sent,
        message=message,
        ahead=ahead,
        dead=dead,
        result=result,
        leftovers=await _leftovers(store, folder, job_id, result),
        cancelled=await _is_cancelled(store, folder, job_id),
        near=await near(store, folder.container, folder.batch, job_id, document),
    )


def _document(messages: Sequence[Seen]) -> Any:  # noqa: ANN401 - JSON is what it is
    """The job as a message has it; None where there is none that can be read."""
    try:
        return parse_json(messages[0].body or b"") if messages else None
    except JobRejected:
        return None


async def _entry(store: Store, folder: Folder, job_id: str) -> tuple[bool, Entry | None]:
    try:
        entries = await read_manifest(store, folder)
    except BatchError:
        return False, None
    return True, next((entry for entry in entries if entry.id == job_id), None)


async def _in_queue(queue: Looks, batch: str, job_id: str) -> tuple[Seen | None, int]:
    """The job's message, rather one that is not scheduled, and how many stand before it."""
    found: Seen | None = None
    ahead, before = 0, Counter[str]()
    async with aclosing(queue.messages()) as messages:
        async for message in messages:
            is_ours = message.job == (job_id, batch)
            if is_ours and (found is None or (found.state, message.state) == ("scheduled", "active")):
                found, ahead = message, before[message.queue]
            before[message.queue] += message.state == "active"
    return found, ahead


async def _dead(queue: Looks, batch: str, job_id: str) -> tuple[Seen, ...]:
    async with aclosing(queue.messages(dead=True)) as messages:
        return tuple([message async for message in messages if message.job == (job_id, batch)])


async def _result(store: Store, folder: Folder, job_id: str) -> dict[str, Any] | None:
    try:
        content = await store.read(folder.result(job_id), limit=MAX_RESULT_BYTES)
    except BlobMissing:
        return None
    document = json.loads(content.data)
    return document if isinstance(document, dict) else {}


async def _leftovers(
    store: Store, folder: Folder, job_id: str, result: dict[str, Any] | None
) -> tuple[str, ...]:
    """What attempts have stored that no result names: they were lost, or another attempt came first."""
    named = json.dumps(result)
    prefix = f"{folder.batch}/{job_id}/attempts/"
    names = store.names(folder.container, prefix)
    return tuple([name async for name in names if f'{name}"' not in named])


async def _is_cancelled(store: Store, folder: Folder, job_id: str) -> bool:
    for blob in (marker(folder.container, folder.batch), marker(folder.container, folder.batch, job_id)):
        try:
            await store.read(blob, limit=0)
        except BlobMissing:
            continue
        return True
    return False
