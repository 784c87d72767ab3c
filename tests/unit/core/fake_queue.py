"""A queue in memory by the broker's own rules, in the time of the running loop."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING

from worker.clock import now
from worker.delivery import Delivery
from worker.envelope import PLAIN, Envelope
from worker.faults import LockLost
from worker.local.broker.config import QueueSettings
from worker.local.broker.queue_rules import QueueRules
from worker.local.broker.values import DeadLetter as Grave
from worker.local.broker.values import LockLostError
from worker.settlement import Complete, DeadLetter, HandBack, History, LetGo, Retry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.unit.core.calls import Calls
    from worker.local.broker.duplicates import DuplicateWindow
    from worker.local.broker.values import Message
    from worker.parcels import Parcel
    from worker.routing import JobMessage
    from worker.settlement import Settlement
    from worker.trace import Trace

RECEIVE_SECONDS = 4.0
LEAST_SECONDS = 1e-6


@dataclass(frozen=True)
class Sent:
    body: bytes | None
    message_id: str
    history: History = field(default_factory=History)
    properties: dict[str, str] = field(default_factory=dict)
    envelope: Envelope = PLAIN


class Queue:
    """Outlives the processes that receive from it.

    Attributes:
        sent: every message there has been, by the number it got first.
        settled: the settlements that were carried out, by that number and delivery count.
        duplicates: the ids accepted of late, where the queue detects duplicates.
        posted: the events sent to wherever they were to go.
    """

    def __init__(
        self,
        lock_seconds: float = 60,
        max_delivery_count: int = 20,
        duplicates: DuplicateWindow | None = None,
    ) -> None:
        settings = QueueSettings(
            name="jobs", lock_duration_seconds=lock_seconds, max_delivery_count=max_delivery_count
        )
        tokens = count(1)
        self.rules = QueueRules(settings, lambda: next(tokens).to_bytes(8))
        self.sent: dict[int, Sent] = {}
        self.settled: list[tuple[int, int, Settlement]] = []
        self.duplicates = duplicates
        self.posted: list[Parcel] = []
        self._changed = asyncio.Event()

    def send(self, sent: Sent, delay: float = 0) -> int:
        """The number of the message; 0 when it is a duplicate, which the queue takes and forgets."""
        time = self.advance()
        if self.duplicates and self.duplicates.remember(sent.message_id.encode(), time) is None:
            return 0
        message = self.rules.send(time, scheduled_at=time + delay if delay else None)
        self.sent[message.key] = sent
        self.wake()
        return message.key

    def acquire(self) -> Message | None:
        return self.rules.acquire(self.advance())

    def wake(self) -> None:
        """Let those look again that wait for a message."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def wait(self, until: float) -> None:
        """Until a message may have come."""
        # A timer may fire a rounding error too early: to wait for what is left of it would let no time pass.
        due = max(min(until, self.rules.next_due()), now() + LEAST_SECONDS)
        try:
            async with asyncio.timeout_at(due):
                await self._changed.wait()
        except TimeoutError:
            return

    def advance(self) -> float:
        time = now()
        self.rules.advance(time)
        return time

    @property
    def left(self) -> list[Sent]:
        """What is not settled for good."""
        return [self.sent[m.key] for m in self.rules.messages.values() if m.dead_letter is None]

    @property
    def dead(self) -> list[tuple[str | None, str | None]]:
        """Reason and description of each dead letter."""
        graves = [m.dead_letter for m in self.rules.messages.values() if m.dead_letter]
        return [(grave.reason, grave.description) for grave in graves]


class FakeChildren:
    """One process's sending of jobs that follow others."""

    def __init__(self, queue: Queue, calls: Calls) -> None:
        self._queue, self._calls = queue, calls

    async def send(self, messages: Sequence[tuple[str, bytes]], trace: Trace | None) -> None:
        async with self._calls.call("send_children"):
            for message_id, body in messages:
                self._queue.send(Sent(body, message_id, properties=trace.fields() if trace else {}))


class FakePost:
    """One process's sending of events."""

    def __init__(self, queue: Queue, calls: Calls) -> None:
        self._queue, self._calls = queue, calls

    async def post(self, parcel: Parcel) -> None:
        async with self._calls.call("post"):
            self._queue.posted.append(parcel)


@dataclass(frozen=True)
class Held:
    """A delivery's lock, and the message as it was when it was acquired."""

    message: Message
    token: bytes
    sequence_number: int
    delivery_count: int
    locked_until: float


class FakeReceiver:
    """One slot's access to a queue."""

    def __init__(self, queue: Queue, calls: Calls) -> None:
        self._queue, self._calls = queue, calls
        self.rested = 0

    async def receive(self) -> Delivery | None:
        async with self._calls.call("receive"):
            until = now() + RECEIVE_SECONDS
            held = self._acquired()
            while held is None and now() < until:
                await self._queue.wait(until)
                held = self._acquired()
        return self._delivery(held) if held else None

    def _acquired(self) -> Held | None:
        message = self._queue.acquire()
        if message is None:
            return None
        assert message.token
        return Held(
            message, message.token, message.sequence_number, message.delivery_count, message.locked_until
        )

    def _delivery(self, held: Held) -> Delivery:
        """As the adapter makes it of a message that may have been long on its way."""
        sent, number = self._queue.sent[held.message.key], held.sequence_number
        behind = self._calls.clock_behind_seconds
        lock_seconds = self._calls.locks.seconds(
            _wall(held.locked_until), _wall(held.message.enqueued_at), _wall(now() - behind)
        )
        return Delivery(
            body=sent.body,
            message_id=sent.message_id,
            sequence_number=number,
            delivery_count=held.delivery_count,
            history=replace(sent.history, origin=sent.history.origin or number),
            lock_seconds=lock_seconds,
            properties=sent.properties,
            envelope=sent.envelope,
            handle=held,
        )

    async def renew(self, delivery: Delivery) -> None:
        async with self._calls.call("renew"):
            time, held = self._queue.advance(), self._held(delivery)
            try:
                self._queue.rules.renew(held.token, time)
            except LockLostError as error:
                raise LockLost("the broker says that the lock is lost") from error

    async def settle(self, delivery: Delivery, settlement: Settlement) -> None:
        held = self._held(delivery)
        if isinstance(settlement, LetGo):
            return
        if isinstance(settlement, Retry):
            async with self._calls.call("send"):
                sent = self._queue.sent[held.message.key]
                again = replace(
                    sent, message_id=self._copy_id(delivery, settlement), history=settlement.history
                )
                self._queue.send(again, settlement.delay)
        async with self._calls.call("settle"):
            try:
                self._carry_out(held, settlement)
            except LockLostError as error:
                raise LockLost("the broker says that the lock is lost") from error
            self._queue.settled.append((held.message.key, delivery.delivery_count, settlement))
            self._queue.wake()

    @staticmethod
    def _copy_id(delivery: Delivery, retry: Retry) -> str:
        base = re.sub(r"\.r\d+-\d+$", "", delivery.message_id)
        return f"{base}.r{retry.history.copies}-{delivery.sequence_number}"

    def _carry_out(self, held: Held, settlement: Complete | Retry | DeadLetter | HandBack) -> None:
        time, rules = self._queue.advance(), self._queue.rules
        match settlement:
            case Complete() | Retry():
                rules.complete(held.token, time)
            case DeadLetter(reason, description):
                rules.dead_letter(held.token, time, Grave(reason, description))
            case HandBack():
                rules.abandon(held.token, time)

    async def is_queue_empty(self) -> bool:
        async with self._calls.call("is_queue_empty"):
            self._queue.advance()
            return not self._queue.rules.peek(1, 1)

    def rest(self) -> None:
        self.rested += 1

    @staticmethod
    def _held(delivery: Delivery) -> Held:
        assert isinstance(delivery.handle, Held)
        return delivery.handle


def _wall(time: float) -> datetime:
    """The loop's time as the services would write it."""
    return datetime(2030, 1, 1, tzinfo=UTC) + timedelta(seconds=time)


class FakeJobQueues:
    """One process's way to send jobs; all queues are one."""

    def __init__(self, queue: Queue, calls: Calls) -> None:
        self._queue, self._calls = queue, calls
        self.sent: list[JobMessage] = []

    async def send(self, jobs: Sequence[JobMessage]) -> None:
        async with self._calls.call("send"):
            for job in jobs:
                self.sent.append(job)
                history = History(copies=1, replaces=job.replaces) if job.replaces else History()
                self._queue.send(Sent(job.body, job.message_id, history))
