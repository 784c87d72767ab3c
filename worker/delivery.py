"""One delivery of a message, as the core sees it, and the lock under which it is held."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import structlog

from worker.clock import now
from worker.envelope import PLAIN, Envelope
from worker.faults import LockLost, ServiceFault
from worker.settlement import History

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

log = structlog.get_logger()
Renewal = Literal["renewed", "failed", "lost"]


@dataclass(frozen=True)
class Delivery:
    """A message that this worker holds the lock of.

    Attributes:
        body: the bytes as sent; None when the message has a body of another kind than data.
        message_id: the sender's; untrusted.
        sequence_number: the queue's, its own for each message and the same for each of its deliveries.
        delivery_count: how often the message was delivered before.
        history: what scheduled copies carry along.
        queued_ms: from the first enqueueing to the receipt, by the clocks of two machines.
        lock_seconds: length of the lock.
        received_at: receipt, on the monotonic clock.
        properties: the sender's, those that are text; untrusted.
        envelope: what the message says beside its body.
        handle: the receiver's own.
        queue: the name of the queue it came from; empty where there is but one.
    """

    body: bytes | None
    message_id: str
    sequence_number: int
    delivery_count: int
    history: History = field(default_factory=History)
    queued_ms: float | None = None
    lock_seconds: float = 60.0
    received_at: float = field(default_factory=now)
    properties: Mapping[str, str] = field(default_factory=dict)
    envelope: Envelope = PLAIN
    handle: object = None
    queue: str = ""

    @property
    def origin(self) -> int:
        """The sequence number of the job's first message, whichever copy this is."""
        return self.history.origin or self.sequence_number

    @property
    def redelivered(self) -> bool:
        """Whether something may have been done for the job before this delivery."""
        return self.delivery_count > 0 or self.history.copies > 0


async def keep_lock(
    delivery: Delivery,
    renew: Callable[[], Awaitable[None]],
    done: asyncio.Event,
    told: Callable[[Renewal], None] = lambda _: None,
) -> None:
    """Renew a delivery's lock at each third of its length until ``done`` is set.

    The lock is a deadline on the monotonic clock, moved by each renewal from the moment it was asked for;
    a renewal that fails is tried again while time remains. The renewal under way is never cancelled from
    here: the receiver must be free for the settlement. ``told`` hears of each renewal, the lost lock aside.

    Raises:
        LockLost: the broker says so, or the deadline is near and no renewal came through.
    """
    length = delivery.lock_seconds
    deadline = delivery.received_at + length
    pause = length / 3
    while not await _is_set_within(done, pause):
        asked_at = now()
        try:
            await asyncio.wait_for(renew(), max(0.1, deadline - asked_at - length / 10))
        except (ServiceFault, TimeoutError) as error:
            if now() > deadline - length / 5:
                raise LockLost("the lock could not be renewed in time") from error
            log.warning("lock_renewal_failed", reason=str(error))
            told("failed")
            pause = length / 15
        else:
            deadline, pause = asked_at + length, length / 3
            told("renewed")


async def _is_set_within(event: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            return await event.wait()
    except TimeoutError:
        return False
