"""What a namespace tells of its queues, subscriptions and topics: how they are set, and what they hold."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class QueueProperties:
    """How a queue is set, or a subscription, whose name is ``topic/Subscriptions/name``.

    Attributes:
        duplicate_window_seconds: how long ids are remembered; None where duplicates are not detected. A
            subscription has what its topic has, and does not tell.
        time_to_live_seconds: of messages that ask for none; None if they live for ever.
        status: ``Active``, ``Disabled``, ``SendDisabled``, ``ReceiveDisabled``, or another of the service's.
        max_size_bytes: None where it is not told.
        forward_to: the entity that messages are handed on to, or None.
    """

    name: str
    lock_seconds: float
    max_delivery_count: int
    duplicate_window_seconds: float | None
    time_to_live_seconds: float | None
    dead_lettering_on_expiration: bool
    requires_session: bool
    status: str
    max_size_bytes: int | None
    forward_to: str | None


@dataclass(frozen=True)
class TopicProperties:
    """How a topic is set; as of a queue."""

    name: str
    duplicate_window_seconds: float | None
    time_to_live_seconds: float | None
    status: str
    max_size_bytes: int | None


@dataclass(frozen=True)
class QueueCounts:
    """What a queue, subscription or topic holds at a moment, in messages; a topic only scheduled ones.

    Attributes:
        active: those that wait, are locked, or are deferred.
        transfer: those on their way to the entity that they are forwarded to.
        size_bytes: of all of them; None where it is not told.
    """

    active: int
    scheduled: int
    dead_lettered: int
    transfer: int
    size_bytes: int | None
