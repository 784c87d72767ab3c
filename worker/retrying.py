"""Running again what the platform failed: the result of such a job says so, and another takes its place."""

from __future__ import annotations

import hashlib
import time
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from worker.batch import BatchError
from worker.cancelling import is_marked
from worker.faults import BlobMissing
from worker.messages import Outgoing, with_history
from worker.outcomes import outcome_in, outcomes
from worker.records import Records
from worker.report import MAX_RESULT_BYTES
from worker.settlement import History
from worker.together import together

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable, Sequence

    from worker.batch import Folder, Queue, Store
    from worker.outcomes import Outcome
    from worker.records import Recorded
    from worker.seen import Seen
    from worker.views import View

CHUNK = 64


class Looks(Protocol):
    """A look at the queue that changes nothing; see ``worker.browsing.Browser``."""

    def messages(self, *, dead: bool = False) -> AsyncGenerator[Seen]: ...  # noqa: D102 - the adapter says


@dataclass
class Plan:
    """The jobs of a batch that the platform failed, and how each is run again.

    Attributes:
        letters: by the queue and the sequence number of its dead letter the id of a job whose letter is
            replayed.
        again: jobs that have no dead letter, and are sent as they were recorded.
        waiting: jobs of which a message is in the queue: they are run again already.
        missing: jobs that have no result at all; these are not retried but reconciled.
    """

    letters: dict[tuple[str, int], str] = field(default_factory=dict)
    again: list[str] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Sent:
    """Jobs that were sent again, and those that could not be, since what they are was never recorded."""

    ids: tuple[str, ...]
    unrecorded: tuple[str, ...]


async def plan(store: Store, queue: Looks, view: View) -> Plan:
    """Find out what is to be run again; nothing is changed.

    The queue is looked at before the results: what has left it by then has another result.
    """
    waiting, letters = await _messages(queue, view, dead=False), await _messages(queue, view, dead=True)
    found = await outcomes(store, view.places)
    made = Plan(missing=[job_id for job_id in view.places if job_id not in found])
    for job_id, outcome in found.items():
        name = (job_id, view.places[job_id])
        if not is_platforms(outcome):
            continue
        if name in waiting:
            made.waiting.append(job_id)
        elif name in letters and outcome.status == "infrastructure_failed":
            made.letters[letters[name]] = job_id
        else:
            made.again.append(job_id)
    return made


async def refuse_cancelled(store: Store, view: View) -> None:
    """See to it that what is sent would be run.

    Raises:
        BatchError: a batch of the view was cancelled.
    """
    for folder in dict.fromkeys(view.places.values()):
        if await is_marked(store, folder.container, folder.batch):
            raise BatchError(f"the batch {folder.batch!r} was cancelled, its jobs would not run again")


def is_platforms(outcome: Outcome) -> bool:
    """Whether a job was not graded for reasons of the platform."""
    return outcome.status == "infrastructure_failed" or outcome.verdict == "internal_error"


async def send_again(store: Store, queue: Queue, view: View, ids: Iterable[str]) -> Sent:
    """Send jobs as they were recorded; each may replace the failure that is its result now, and no other.

    Sent twice, a job runs once more and has one result all the same: the second finds what it may replace
    replaced. Where the queue detects duplicates it does not even come so far.
    """
    wanted = list(ids)
    sent: list[str] = []
    for folder in dict.fromkeys(view.places[job_id] for job_id in wanted):
        of_folder = [job_id for job_id in wanted if view.places[job_id] == folder]
        async for jobs in Records(store, folder).jobs(of_folder):
            for start in range(0, len(jobs), CHUNK):
                sent += await _send(store, queue, folder, jobs[start : start + CHUNK])
    return Sent(tuple(sent), tuple(job_id for job_id in wanted if job_id not in sent))


async def _send(store: Store, queue: Queue, folder: Folder, jobs: Sequence[Recorded]) -> list[str]:
    etags = await together(lambda job: _failure(store, folder, job.id), jobs)
    messages = [_message(job, etag) for job, etag in zip(jobs, etags, strict=True) if etag]
    if messages:
        await queue.send(messages)
    return [job.id for job in jobs]


async def _failure(store: Store, folder: Folder, job_id: str) -> str | None:
    """The ETag of the job's result while that is still a failure of the platform."""
    try:
        content = await store.read(folder.result(job_id), limit=MAX_RESULT_BYTES)
    except BlobMissing:
        return None
    return content.etag if is_platforms(outcome_in(content.data, job_id)) else None


def _message(job: Recorded, etag: str) -> Outgoing:
    """The same job and failure make the same message id, so that a repetition is one."""
    mark = hashlib.sha256(etag.encode()).hexdigest()[:8]
    history = History(
        copies=1,  # whoever gets it looks first whether the failure still stands
        reasons=("run again on request: the platform had failed it",),
        first_enqueued_ms=int(time.time() * 1000),
        replaces=etag,
    )
    return with_history(Outgoing(body=job.body, message_id=f"{job.first_id[:100]}.t-{mark}"), history)


async def _messages(queue: Looks, view: View, *, dead: bool) -> dict[tuple[str, Folder], tuple[str, int]]:
    """The queues and numbers of the messages, or dead letters, of the view's jobs."""
    wanted = {(job_id, folder.batch): (job_id, folder) for job_id, folder in view.places.items()}
    found: dict[tuple[str, Folder], tuple[str, int]] = {}
    async with aclosing(queue.messages(dead=dead)) as messages:
        async for message in messages:
            if message.job in wanted:
                found[wanted[message.job]] = (message.queue, message.sequence_number)
    return found
