"""A message as somebody sees it who only looks: nothing is locked, and all of it is untrusted."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from worker.envelope import PLAIN, Envelope
from worker.job import job_of
from worker.settlement import History

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

State = Literal["active", "scheduled", "deferred"]


@dataclass(frozen=True)
class Seen:
    """A message of a queue, or of its dead-letter queue, at one moment.

    Attributes:
        sequence_number: the queue's; a dead letter keeps the one it had.
        message_id: the sender's.
        delivery_count: how often the message was delivered before.
        state: ``active`` is also said of a message that somebody has locked.
        enqueued_at: when it was, or will be, put into the queue.
        scheduled_at: when its sender wanted it to become visible; None for at once.
        expires_at: the end of its time to live; dead letters outlive it.
        body: the bytes as sent; None when the message has a body of another kind than data.
        history: what scheduled copies carry along.
        properties: the sender's, those that are text.
        reason: of a dead letter, in the words of who made it: the worker, the broker or an operator.
        description: of a dead letter, as above.
        queue: the name of the queue; empty where there is but one.
        envelope: what the message says beside its body.
    """

    sequence_number: int
    message_id: str
    delivery_count: int = 0
    state: State = "active"
    enqueued_at: datetime | None = None
    scheduled_at: datetime | None = None
    expires_at: datetime | None = None
    body: bytes | None = None
    history: History = field(default_factory=History)
    properties: Mapping[str, str] = field(default_factory=dict)
    reason: str | None = None
    description: str | None = None
    queue: str = ""
    envelope: Envelope = PLAIN

    @property
    def origin(self) -> int:
        """The sequence number of the job's first message, whichever copy this is."""
        return self.history.origin or self.sequence_number

    @property
    def job(self) -> tuple[str, str]:
        """The id and batch under which its job's result lies, be it valid or not."""
        return job_of(self.body, self.origin, self.envelope)


@dataclass(frozen=True)
class Wanted:
    """Which messages are meant; what is empty does not matter.

    Attributes:
        reasons: any of these; the empty reason is that of messages without one.
        batch: of the job.
        job: its id.
        after: enqueued then or later.
        before: enqueued earlier.
        numbers: any of these sequence numbers.
        queue: the name of the queue.
    """

    reasons: frozenset[str] = frozenset()
    batch: str | None = None
    job: str | None = None
    after: datetime | None = None
    before: datetime | None = None
    numbers: frozenset[int] = frozenset()
    queue: str | None = None

    @property
    def is_all(self) -> bool:
        """Whether nothing is asked for."""
        return self == Wanted()

    def takes(self, letter: Seen) -> bool:
        """Whether a letter is meant."""
        job_id, batch = letter.job
        return (
            (not self.reasons or (letter.reason or "") in self.reasons)
            and self.queue in {None, letter.queue}
            and self.batch in {None, batch}
            and self.job in {None, job_id}
            and (not self.numbers or letter.sequence_number in self.numbers)
            and self._in_time(letter.enqueued_at)
        )

    def _in_time(self, enqueued_at: datetime | None) -> bool:
        if enqueued_at is None:
            return self.after is None and self.before is None
        return (self.after is None or enqueued_at >= self.after) and (
            self.before is None or enqueued_at < self.before
        )
