"""A queue at work: its rules, its stored state, and the consumers that wait for messages."""

import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Protocol

from worker.local.broker.config import QueueSettings
from worker.local.broker.errors import NOT_ALLOWED, AmqpError
from worker.local.broker.intake import Intake
from worker.local.broker.message import Incoming, render
from worker.local.broker.queue_rules import QueueRules
from worker.local.broker.store import Store
from worker.local.broker.values import Counts, DeadLetter, LockLostError, Message
from worker.local.faults import BrokerFaults
from worker.local.switches import Switches

Action = Callable[[], object]


class Consumer(Protocol):
    """A link that takes messages."""

    in_line: bool

    @property
    def ready(self) -> bool:
        """Whether it can take a message now."""

    def reserve(self) -> None:
        """Spend one credit on a message that will come."""

    def deliver(self, token: bytes, data: bytes) -> bool:
        """Send a message; False when the link is gone."""


class Queue:
    """One declared queue with its dead-letter queue.

    Every change is durable before it is told: `then` arguments are called after the commit.
    Locks are part of the stored state: after a restart each holds until its time, so that a holder which
    connects again can still settle, and a delivery that was under way is counted when its lock expires.
    """

    def __init__(self, settings: QueueSettings, store: Store, faults: Switches[BrokerFaults]) -> None:
        self.settings = settings
        self.faults = faults
        self._store = store
        self._id, last_sequence = store.open_queue(settings.name.lower())
        self._rules = QueueRules(settings, partial(os.urandom, 16), last_sequence)
        self._rules.restore(store.load_messages(self._id))
        self._intake = Intake(store, self._id, settings.duplicate_detection_window_seconds, faults)
        self._lines: dict[bool, deque[Consumer]] = {False: deque(), True: deque()}

    def tick(self) -> None:
        """Do what became due. To be called a few times a second, and harmless at any time."""
        self._now()
        self._dispatch()

    def send(self, messages: Sequence[Incoming], then: Action) -> list[int]:
        """Accept messages, all in one commit; returns the sequence numbers given, 0 to duplicates."""
        self._intake.refuse_if_busy()
        if self.settings.requires_session:
            raise AmqpError(
                NOT_ALLOWED, "The SessionId was not set on a message, and it cannot be sent here."
            )
        numbers = self.put(messages)
        self._store.after_commit(then)
        return numbers

    def put(self, messages: Sequence[Incoming]) -> list[int]:
        """Accept messages with the next commit; returns the sequence numbers given, 0 to duplicates."""
        now = self._now()
        numbers = [self._accept(message, now) for message in messages]
        self._store.save_sequence(self._id, self._rules.last_sequence)
        self._dispatch()
        return numbers

    def offer(self, consumer: Consumer, *, dead_letters: bool) -> None:
        """Put a consumer in line for as long as it is ready."""
        if consumer.ready and not consumer.in_line:
            consumer.in_line = True
            self._lines[dead_letters].append(consumer)
            self._now()
            self._dispatch()

    def after_commit(self, then: Action) -> None:
        """Call back when all that was changed so far is durable."""
        self._store.after_commit(then)

    def complete(self, token: bytes, then: Action) -> None:
        """Remove a locked message. This and the next ones raise `LockLostError`."""
        self._settled(self._rules.complete(token, self._now()), then)

    def abandon(self, token: bytes, then: Action) -> None:
        """Give a locked message back and count the delivery."""
        self._settled(self._rules.abandon(token, self._now()), then)

    def release(self, token: bytes, then: Action) -> None:
        """Give a locked message back without counting the delivery."""
        self._settled(self._rules.release(token, self._now()), then)

    def defer(self, token: bytes, then: Action) -> None:
        """Set a locked message aside."""
        self._settled(self._rules.defer(token, self._now()), then)

    def dead_letter(self, token: bytes, why: DeadLetter, then: Action) -> None:
        """Move a locked message to the dead-letter queue."""
        self._settled(self._rules.dead_letter(token, self._now(), why), then)

    def renew(self, tokens: Iterable[bytes]) -> list[float]:
        """Renew locks; returns until when they hold. The caller waits for the commit."""
        if self.faults.happens("refuse_renewal_rate"):
            raise LockLostError
        now = self._now()
        until = []
        for token in tokens:
            message = self._rules.renew(token, now)
            self._store.save(self._id, message)
            until.append(message.locked_until + self.faults.now.clock_skew_seconds)
        return until

    def cancel_scheduled(self, sequence_numbers: Iterable[int], then: Action) -> None:
        """Remove scheduled messages; raises `MessageNotFoundError` if one is none."""
        self._now()
        self._save(self._rules.cancel_scheduled(sequence_numbers))
        self._store.after_commit(then)

    def peek(self, start: int, count: int, *, dead_letters: bool) -> list[Message]:
        """Return messages of any state; the caller renders them after a commit."""
        self._now()
        return self._rules.peek(start, count, dead_letters=dead_letters)

    def counts(self) -> Counts:
        """Return how many messages there are, of each kind, and how large they are together."""
        self._now()
        return Counts.of(self._rules.messages.values())

    def acquire_deferred(self, sequence_numbers: Iterable[int], *, dead_letters: bool) -> list[Message]:
        """Lock deferred messages; raises `MessageNotFoundError` if one is none."""
        now = self._now()
        locked = self._rules.acquire_deferred(sequence_numbers, now, dead_letters=dead_letters)
        self._save(locked)
        return locked

    def render(self, message: Message) -> bytes | None:
        """Encode a message from its committed content; None when it is gone."""
        content = self._store.content(self._id, message.key)
        return None if content is None else render(message, content, self.faults.now.clock_skew_seconds)

    def _accept(self, incoming: Incoming, now: float) -> int:
        if not self._intake.admits(incoming.message_id, now):
            return 0
        message = self._rules.send(now, incoming.ttl, incoming.scheduled_at)
        self._store.add(self._id, message, incoming.content(self.settings.effective_ttl(incoming.ttl)))
        return message.sequence_number

    def _now(self) -> float:
        now = time.time()
        if changed := self._rules.advance(now):
            self._save(changed)
            self._store.save_sequence(self._id, self._rules.last_sequence)
        return now

    def _save(self, messages: Iterable[Message]) -> None:
        for message in messages:
            self._store.save(self._id, message)

    def _settled(self, message: Message, then: Action) -> None:
        self._store.save(self._id, message)
        self._store.after_commit(then)
        self._dispatch()

    def _dispatch(self) -> None:
        for dead_letters, line in self._lines.items():
            while line and self._rules.has_ready(dead_letters=dead_letters):
                if not line[0].ready:
                    line.popleft().in_line = False
                elif message := self._rules.acquire(time.time(), dead_letters=dead_letters):
                    self._hand_out(message, line)

    def _hand_out(self, message: Message, line: deque[Consumer]) -> None:
        """Lock for the first in line; the message leaves when the lock is durable: no delivery is lost."""
        consumer = line[0]
        line.rotate(-1)
        consumer.reserve()
        self._store.save(self._id, message)
        if message.token is not None:
            self._store.after_commit(partial(self._deliver, message, message.token, consumer))

    def _deliver(self, message: Message, token: bytes, consumer: Consumer) -> None:
        if message.token != token:
            return
        data = self.render(message)
        if data is None or not consumer.deliver(token, data):
            self._give_back(self.release, token)
        elif self.faults.happens("duplicate_delivery_rate"):
            self._give_back(self.abandon, token)

    def _give_back(self, how: Callable[[bytes, Action], None], token: bytes) -> None:
        try:
            how(token, _nothing)
        except LockLostError:
            return


def _nothing() -> None:
    return
