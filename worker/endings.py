"""The end of a job, whoever brings it about: its result is committed, and what follows it is sent.

Whatever is cut off between the commit and the last message is made good by whoever comes across the job's
message again, in the queue or among the dead letters: it is settled only after all was sent. What is done
again is the same again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from pydantic import ValidationError

from worker.faults import BlobMissing, CapacityFault, InfrastructureFault
from worker.patience import with_patience
from worker.result import Result

if TYPE_CHECKING:
    from collections.abc import Sequence

    from worker.chains import Chains
    from worker.committing import Committer
    from worker.steps import Step
    from worker.trigger import Trigger


class Sends(Protocol):
    """What is needed of the queue that jobs come from."""

    async def send(self, messages: Sequence[tuple[str, bytes]]) -> None:
        """Send messages, given by their ids and bodies; an id that was sent before may be sent again."""


@dataclass(frozen=True)
class After:
    """What a job's end leads to, as its message has it: its steps, and the fan-out that it may be part of."""

    then: tuple[Step, ...] = ()
    trigger: Trigger | None = None


class Endings:
    """Ends jobs.

    Args:
        committer: of the results.
        chains: what follows them.
        sends: takes the messages of what follows.
        patience_seconds: how long sending waits in hand while the queue is out of reach.
    """

    def __init__(self, committer: Committer, chains: Chains, sends: Sends, patience_seconds: float) -> None:
        self.committer, self._chains = committer, chains
        self._sends, self._patience = sends, patience_seconds

    async def end(self, result: Result, after: After, attempt: str, replaces: str | None = None) -> None:
        """Commit a result and send what follows; arguments of a commit are those of ``Committer.commit``.

        Where another attempt's result stands, what is sent follows that.
        """
        planned = await self._chains.planned(after.then, result, attempt)
        if await self.committer.commit(planned.result, attempt, replaces):
            await self._send(planned.messages)
            await self._conclude(after)
        else:
            await self.follow_up(result.batch, result.id, after)

    async def follow_up(self, batch: str, job_id: str, after: After) -> None:
        """Send what follows a committed job, again if need be."""
        if after.then:
            await self._send(await self._messages(batch, job_id, after.then))
        await self._conclude(after)

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
            await self._send(await self._chains.concluded(after.trigger.step))

    async def _send(self, messages: tuple[tuple[str, bytes], ...]) -> None:
        if messages:
            await with_patience(
                lambda: self._sends.send(messages), self._patience, CapacityFault, InfrastructureFault
            )
