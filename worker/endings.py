"""The end of a job, whoever brings it about: its result is committed, and what follows it is sent.

Whatever is cut off between the commit and the last message is made good by whoever comes across the job's
message again, in the queue or among the dead letters: it is settled only after all was sent. What is done
again is the same again.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from pydantic import ValidationError

from worker.faults import BlobMissing, CapacityFault, InfrastructureFault
from worker.observing import SILENT
from worker.patience import with_patience
from worker.result import Result

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from worker.announcing import Announcements
    from worker.chains import Chains
    from worker.committing import Committer
    from worker.destinations import Destination
    from worker.observing import Observer
    from worker.outbox import Outbox
    from worker.steps import Step
    from worker.trace import Trace
    from worker.trigger import Trigger


class Sends(Protocol):
    """What is needed of the queue that jobs come from."""

    async def send(self, messages: Sequence[tuple[str, bytes]], trace: Trace | None) -> None:
        """Send messages, given by their ids and bodies; an id that was sent before may be sent again."""


@dataclass(frozen=True)
class After:
    """What a job's end leads to, as its message has it.

    Attributes:
        then: its steps.
        trigger: the fan-out that it may be part of.
        reply_to: who asked to be told.
        trace: its own part of its sender's trace.
        queue: the name of the queue its message came from; empty where there is but one.
    """

    then: tuple[Step, ...] = ()
    trigger: Trigger | None = None
    reply_to: tuple[Destination, ...] = ()
    trace: Trace | None = None
    queue: str = ""


class Endings:
    """Ends jobs.

    Args:
        committer: of the results.
        chains: what follows them.
        sends: takes the messages of what follows.
        patience_seconds: how long sending waits in hand while the queue is out of reach.
        announcements: who is told of ends, and how.
        outbox: keeps and sends that.
        observer: hears of each commit.
    """

    def __init__(  # noqa: PLR0913 - wiring
        self,
        committer: Committer,
        chains: Chains,
        sends: Sends,
        patience_seconds: float,
        *,
        announcements: Announcements,
        outbox: Outbox,
        observer: Observer = SILENT,
    ) -> None:
        self.committer, self.announcements, self._chains = committer, announcements, chains
        self._sends, self._patience, self._observer = sends, patience_seconds, observer
        self.outbox = outbox

    async def end(self, result: Result, after: After, attempt: str, replaces: str | None = None) -> None:
        """Commit a result and send what follows; arguments of a commit are those of ``Committer.commit``.

        Where another attempt's result stands, what is sent follows that.
        """
        planned = await self._chains.planned(after.then, result, attempt)
        record = self.announcements.of_job(planned.result, attempt, after.reply_to, replaces)
        if record:
            await self._patiently(lambda: self.outbox.put(record))
        if await self.committer.commit(planned.result, attempt, replaces):
            self._observer.committed(planned.result, attempt, after.queue)
            await self._send(planned.messages, after.trace)
            await self._conclude(after)
            if record:
                await self.outbox.send(record)
        else:
            await self.follow_up(result.batch, result.id, after)

    async def follow_up(self, batch: str, job_id: str, after: After) -> None:
        """Send what follows a committed job, again if need be."""
        if after.then:
            await self._send(await self._messages(batch, job_id, after.then), after.trace)
        await self._conclude(after)
        if after.reply_to or self.announcements.settings.events_to:
            with suppress(BlobMissing):
                attempt = await self.committer.attempt(batch, job_id)
                await self._patiently(lambda: self.outbox.follow_up(batch, job_id, attempt))

    async def _messages(
        self, batch: str, job_id: str, then: tuple[Step, ...]
    ) -> tuple[tuple[str, bytes], ...]:
        """The messages as the attempt that was committed has made them, which may be another worker's."""
        standing = await self.committer.standing(batch, job_id)
        try:
            result = Result.model_validate_json(standing.data if standing else b"")
            attempt = await self.committer.attempt(batch, job_id)
        except (ValidationError, BlobMissing):
            return ()  # nobody can say how it ended
        return (await self._chains.planned(then, result, attempt)).messages

    async def _conclude(self, after: After) -> None:
        if after.trigger and after.trigger.step:
            await self._send(await self._chains.concluded(after.trigger.step), after.trace)

    async def _send(self, messages: tuple[tuple[str, bytes], ...], trace: Trace | None) -> None:
        if messages:
            await self._patiently(lambda: self._sends.send(messages, trace))

    async def _patiently(self, call: Callable[[], Awaitable[None]]) -> None:
        await with_patience(call, self._patience, CapacityFault, InfrastructureFault)
