"""Reconciling: a batch's manifest against its results, its records, the queue and the dead letters."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, Protocol, TypeVar

from pydantic import ValidationError

from worker.batch import read_manifest
from worker.completion import complete
from worker.progress import Progress
from worker.records import Records, recorded_ids
from worker.report import MAX_RESULT_BYTES
from worker.result import Result

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence

    from worker.batch import Folder, Queue, Store
    from worker.seen import Seen

T = TypeVar("T")
Where = Literal["waiting", "scheduled", "dead_lettered", "lost", "never_sent"]
NOWHERE: tuple[Where, ...] = ("lost", "never_sent")
PAUSE_SECONDS = 3.0
CHUNK = 64


class Looks(Protocol):
    """A look at the queue that changes nothing; see ``worker.browsing.Browser``."""

    def messages(self, *, dead: bool = False) -> AsyncGenerator[Seen]: ...  # noqa: D102 - the adapter says


@dataclass(frozen=True)
class Missing:
    """A job that has no result, where it is, and its message if there is one (without the body).

    ``waiting`` is also said of a job that runs: its message is locked, which cannot be seen from outside.
    """

    id: str
    where: Where
    message: Seen | None = None

    @property
    def is_nowhere(self) -> bool:
        """Whether no message will ever lead to a result."""
        return self.where in NOWHERE


@dataclass(frozen=True)
class Comparison:
    """What a batch has and lacks.

    Attributes:
        jobs: how many jobs the manifest has.
        results: how many of them have a result.
        missing: the others, in the manifest's order.
        strangers: results of jobs that the manifest does not have.
        untold: results whose progress line is missing.
    """

    jobs: int
    results: int
    missing: tuple[Missing, ...]
    strangers: tuple[str, ...]
    untold: tuple[str, ...]

    @property
    def nowhere(self) -> list[str]:
        """The jobs that only a repair can give a result."""
        return [job.id for job in self.missing if job.is_nowhere]

    @property
    def counts(self) -> Counter[Where]:
        """How many of the missing are where."""
        return Counter(job.where for job in self.missing)

    def confirmed(self, before: Comparison) -> Comparison:
        """This look, corrected by the one before it: what has moved meanwhile is not lost."""
        seen = {job.id: job for job in before.missing if not job.is_nowhere}
        missing = tuple(seen.get(job.id, job) if job.is_nowhere else job for job in self.missing)
        untold_before = set(before.untold)
        untold = tuple(job_id for job_id in self.untold if job_id in untold_before)
        return replace(self, missing=missing, untold=untold)


@dataclass(frozen=True)
class Repaired:
    """What a repair has done.

    Attributes:
        sent: jobs that were sent again.
        unrecorded: jobs that could not be: what they are was never recorded.
        told: how many progress lines were written.
    """

    sent: tuple[str, ...]
    unrecorded: tuple[str, ...]
    told: int


async def compare(
    store: Store,
    queue: Looks,
    folder: Folder,
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> Comparison:
    """Compare; before anything is called missing, all is looked at a second time.

    A message moves while it is looked for: from the dead letters to the queue, from the queue to a copy.

    Raises:
        BatchError: there is no such batch.
    """
    first = await _look(store, queue, folder)
    if not first.nowhere and not first.untold:
        return first
    await pause(PAUSE_SECONDS)
    return (await _look(store, queue, folder)).confirmed(first)


async def repair(store: Store, queue: Queue, folder: Folder, found: Comparison) -> Repaired:
    """Send again what is nowhere, and write the progress lines that are missing, and that all is done if so.

    Harmless if an original turns up after all: only one result of a job can ever be committed.
    """
    records = Records(store, folder)
    sent: list[str] = []
    async for jobs in records.jobs(found.nowhere):
        for chunk in _chunks(jobs):
            await records.send(queue, {job.id: job.again() for job in chunk})
            sent += [job.id for job in chunk]
    told = await _tell(store, folder, found.untold)
    if not found.missing:
        await complete(store, folder)  # the workers that were to do so may be gone
    return Repaired(tuple(sent), tuple(sorted(set(found.nowhere).difference(sent))), told)


async def places(queue: Looks, folder: Folder) -> dict[str, Missing]:
    """Where the batch's jobs are of which there is a message; one in the queue counts more than a dead one.

    The queue is looked at first, since what leaves it unseen has left a result or a dead letter.
    """
    found: dict[str, Missing] = {}
    for dead in (False, True):
        async with aclosing(queue.messages(dead=dead)) as messages:
            async for message in messages:
                job_id, batch = message.job
                if batch == folder.batch:
                    where = _where(message, dead=dead)
                    found.setdefault(job_id, Missing(job_id, where, replace(message, body=None)))
    return found


async def _look(store: Store, queue: Looks, folder: Folder) -> Comparison:
    """Results are looked for after the messages: a message is completed only after its result is there."""
    ids = [entry.id for entry in await read_manifest(store, folder)]
    sent = await Records(store, folder).sent()
    found = await places(queue, folder)
    results = [job_id async for job_id in results_of(store, folder)]
    told = await recorded_ids(store, folder, folder.progress_prefix)
    having, known = set(results), set(ids)
    missing = [found.get(job_id, _nowhere(job_id, sent)) for job_id in ids if job_id not in having]
    return Comparison(
        jobs=len(ids),
        results=len(ids) - len(missing),
        missing=tuple(missing),
        strangers=tuple(job_id for job_id in results if job_id not in known),
        untold=tuple(job_id for job_id in results if job_id not in told),
    )


async def results_of(store: Store, folder: Folder) -> AsyncGenerator[str]:
    """The ids of the jobs that have a result."""
    async for name in store.names(folder.container, f"{folder.batch}/"):
        match name.split("/"):
            case [_, job_id, "result.json"]:
                yield job_id


async def _tell(store: Store, folder: Folder, ids: Sequence[str]) -> int:
    progress = Progress(store, folder.container)
    told = 0
    for chunk in _chunks(ids):
        told += sum(await asyncio.gather(*(_tell_one(store, folder, progress, job_id) for job_id in chunk)))
    return told


async def _tell_one(store: Store, folder: Folder, progress: Progress, job_id: str) -> bool:
    data = (await store.read(folder.result(job_id), limit=MAX_RESULT_BYTES)).data
    try:
        line = Result.model_validate_json(data).progress_line()
    except ValidationError:
        return False  # not a worker's: somebody else has written there
    await progress.add(folder.batch, line)
    return True


def _where(message: Seen, *, dead: bool) -> Where:
    if dead:
        return "dead_lettered"
    return "scheduled" if message.state == "scheduled" else "waiting"


def _nowhere(job_id: str, sent: set[str]) -> Missing:
    return Missing(job_id, "lost" if job_id in sent else "never_sent")


def _chunks(items: Sequence[T]) -> Iterator[Sequence[T]]:
    return (items[start : start + CHUNK] for start in range(0, len(items), CHUNK))
