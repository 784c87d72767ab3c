"""What a queue holds: messages, where each stands, and why one is dead."""

import enum
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self


class State(enum.IntEnum):
    """Where a message stands; the first three are the numbers Service Bus shows."""

    ACTIVE = 0
    DEFERRED = 1
    SCHEDULED = 2
    COMPLETED = 3
    EXPIRED = 4
    CANCELLED = 5

    @property
    def gone(self) -> bool:
        """Whether the message left the queue for good."""
        return self >= State.COMPLETED


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """Why a message is in the dead-letter queue."""

    reason: str | None
    description: str | None


@dataclass(slots=True, eq=False)
class Message:
    """What the rules know of a message. `key` is the sequence number it got first, and never changes.

    `enqueued_at` lies in the future while the message is scheduled. `token` is set while it is locked. `size`
    is that of the content, in bytes.
    """

    key: int
    sequence_number: int
    enqueued_at: float
    expires_at: float = math.inf
    state: State = State.ACTIVE
    delivery_count: int = 0
    token: bytes | None = None
    locked_until: float = 0.0
    dead_letter: DeadLetter | None = None
    size: int = 0

    @property
    def is_dead(self) -> bool:
        """Whether it is in the dead-letter queue."""
        return self.dead_letter is not None

    @property
    def ready(self) -> bool:
        """Whether it can be handed out."""
        return self.state is State.ACTIVE and self.token is None


@dataclass(frozen=True, slots=True)
class Counts:
    """How many messages there are: scheduled, dead, or active, which locked and deferred ones count as."""

    active: int
    scheduled: int
    dead_lettered: int
    size_bytes: int

    @property
    def total(self) -> int:
        """All of them."""
        return self.active + self.scheduled + self.dead_lettered

    @classmethod
    def of(cls, messages: Iterable[Message]) -> Self:
        """Count messages."""
        active = scheduled = dead = size = 0
        for message in messages:
            size += message.size
            if message.is_dead:
                dead += 1
            elif message.state is State.SCHEDULED:
                scheduled += 1
            else:
                active += 1
        return cls(active, scheduled, dead, size)


class LockLostError(Exception):
    """The lock token is unknown, expired, or was used."""


class MessageNotFoundError(Exception):
    """There is no such message in the state the operation needs."""
