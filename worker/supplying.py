"""Keeping the queue supplied with the runs of schedules. Any number of schedulers may do so at a time.

A run is a scheduled message whose id is made of its name, its time and its definition: the queue keeps one of
those that several schedulers send. Duplicate detection remembers also what was taken back: so what was sent
is looked for, and sent under another id if the queue has swallowed it.
"""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Protocol

import structlog
from pydantic import ValidationError

from worker.faults import BlobMissing, BlobTooLarge
from worker.planned import GROUP
from worker.report import MAX_RESULT_BYTES
from worker.result import Result, result_blob
from worker.supply_plan import Plan, missing, plan, run_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterable, Sequence

    from worker.batch import Queue
    from worker.inputs import Content
    from worker.planned import Planned
    from worker.schedule import SchedulesFile
    from worker.seen import Seen

log = structlog.get_logger()
SWALLOWED_BEFORE_GIVING_UP = 3
AHEAD_SECONDS = 5.0  # what becomes due sooner may have come and gone between two looks
CHUNK = 64


class Looks(Protocol):
    """A look at the queue; see ``worker.browsing.Browser``."""

    def messages(self, *, dead: bool = False) -> AsyncGenerator[Seen]: ...  # noqa: D102 - the adapter says


class Cancels(Protocol):
    """Takes back what is scheduled; see ``worker.unscheduling.Unscheduler``."""

    async def cancel(self, numbers: Sequence[int]) -> set[int]: ...  # noqa: D102 - the adapter says


class Store(Protocol):
    """What is needed of the blob store; see ``worker.blobs.Blobs``."""

    async def read(self, blob: str, *, limit: int) -> Content: ...  # noqa: D102 - the adapter says

    async def metadata(self, blob: str) -> dict[str, str]: ...  # noqa: D102


@dataclass(frozen=True)
class Results:
    """The results of runs, in a container of the store."""

    store: Store
    container: str

    async def has(self, run: Planned) -> bool:
        """Whether a run has come to its end."""
        try:
            await self.store.metadata(self._blob(run))
        except BlobMissing:
            return False
        return True

    async def of(self, run: Planned) -> Result | None:
        """The result of a run; None if there is none, or none that can be read."""
        try:
            content = await self.store.read(self._blob(run), limit=MAX_RESULT_BYTES)
            return Result.model_validate_json(content.data)
        except (BlobMissing, BlobTooLarge, ValidationError):
            return None

    def _blob(self, run: Planned) -> str:
        return f"{self.container}/{result_blob(run.batch, run.job_id)}"


@dataclass(frozen=True)
class Supplied:
    """What one look at the queue has led to.

    Attributes:
        sent: runs to come.
        late: runs whose time has passed, and that are made up for now.
        skipped: runs whose time has passed, and that are not, as their schedules say.
        cancelled: messages that were taken back.
        lost: runs that the queue does not take.
    """

    sent: list[Planned] = field(default_factory=list)
    late: list[Planned] = field(default_factory=list)
    skipped: list[Planned] = field(default_factory=list)
    cancelled: list[Seen] = field(default_factory=list)
    lost: list[Planned] = field(default_factory=list)


def utc_now() -> datetime:
    """The wall clock."""
    return datetime.now(UTC)


class Supply:
    """Supplies one queue.

    Args:
        queue: what messages are sent to.
        looks: shows what the queue holds.
        cancels: takes back what is scheduled.
        results: of the runs.
        clock: the wall clock, in UTC.
    """

    def __init__(
        self,
        queue: Queue,
        looks: Looks,
        cancels: Cancels,
        results: Results,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._queue, self._looks, self._cancels, self._clock = queue, looks, cancels, clock
        self.results = results
        self._over: set[str] = set()  # of the runs that were due last: those that need no more thought

    async def planned(self, file: SchedulesFile, horizon: timedelta) -> tuple[Plan, Supplied]:
        """What is to be done, and what would come of it; nothing is changed.

        The queue is looked at before the results: what has left it by then has one.
        """
        seen = await self._seen(file.group)
        made = plan(file, seen, self._clock(), horizon)
        open_runs = [run for run in made.past if run.job_id not in self._over]
        past = [run for run in open_runs if not await self.results.has(run)]
        late = [run for run in past if run.schedule.misfire == "run_once"]
        self._over = {run.job_id for run in made.past} - {run.job_id for run in late}
        return made, Supplied(made.send, late, [run for run in past if run not in late], made.cancel)

    async def sync(self, file: SchedulesFile, horizon: timedelta) -> Supplied:
        """Let the queue hold what becomes due before the horizon, and nothing else of this group.

        Broken off anywhere, the next call goes on: what was taken back and not yet sent again is missing.

        Raises:
            ServiceFault: a service does not do its part.
            JobRejected: a job of the file is none.
        """
        made, wanted = await self.planned(file, horizon)
        gone = await self._cancels.cancel([message.sequence_number for message in made.cancel])
        begun = {run_of(message) for message in made.cancel if message.sequence_number in gone}
        send = [run for run in made.send if run.key not in begun]  # the old one runs, or was taken back
        await self.send(file, wanted.late, "~late")
        await self.send(file, send)
        lost = await self._send_swallowed(file, send) if send else []
        done = Supplied(send, wanted.late, wanted.skipped, made.cancel, lost)
        _tell(done)
        return done

    async def send(self, file: SchedulesFile, runs: Sequence[Planned], suffix: str = "") -> None:
        """Send the messages of runs, under ids with a suffix."""
        for start in range(0, len(runs), CHUNK):
            await self._queue.send([run.message(file.group, suffix) for run in runs[start : start + CHUNK]])

    async def waiting(self, file: SchedulesFile) -> set[tuple[str, str]]:
        """The runs of which a message is in the queue, by name and planned time."""
        return {run_of(message) for message in await self._seen(file.group)}

    async def _send_swallowed(self, file: SchedulesFile, sent: Sequence[Planned]) -> list[Planned]:
        """Send again what is not in the queue although it was sent; those that never came to be in it."""
        for attempt in range(1, SWALLOWED_BEFORE_GIVING_UP + 1):
            absent = await self._absent(file, sent)
            if not absent:
                return []
            await self.send(file, absent, f"~{attempt}")
        return await self._absent(file, sent)

    async def _absent(self, file: SchedulesFile, runs: Iterable[Planned]) -> list[Planned]:
        soon = self._clock() + timedelta(seconds=AHEAD_SECONDS)
        return missing(runs, await self._seen(file.group), soon)

    async def _seen(self, group: str) -> list[Seen]:
        async with aclosing(self._looks.messages()) as messages:
            return [message async for message in messages if message.properties.get(GROUP) == group]


def _tell(done: Supplied) -> None:
    for run in done.late:
        log.info("misfire_sent", schedule=run.schedule.name, planned_at=run.planned_at.isoformat())
    for run in done.skipped:
        log.info("misfire_skipped", schedule=run.schedule.name, planned_at=run.planned_at.isoformat())
    for run in done.lost:
        log.error("run_swallowed", schedule=run.schedule.name, planned_at=run.planned_at.isoformat())
    if done.sent or done.cancelled:
        log.info("queue_supplied", sent=len(done.sent), cancelled=len(done.cancelled))
