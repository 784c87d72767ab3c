"""The rules of one queue and its dead-letter queue: who may have which message when.

Pure: no input or output, no clock (`now` is passed in, seconds since 1970) and no content of messages. Every
function that changes a message returns it, or all it changed, so that the caller can store the new state.
Callers call `advance(now)` before anything else at that time: it does what became due.

A delivery is counted when it fails: by `abandon` or when its lock expires. A release (the client never
showed the message to anyone) and a deferral are not failures. A message that comes back keeps its sequence
number and with it its place.
"""

import heapq
import math
from collections.abc import Callable, Iterable

from worker.local.broker.config import QueueSettings
from worker.local.broker.values import DeadLetter, LockLostError, Message, MessageNotFoundError, State

MAX_DELIVERY_COUNT_EXCEEDED = "MaxDeliveryCountExceeded"
TTL_EXPIRED = "TTLExpiredException"
_UNLOCKED = b""  # in a timer's place for the token: it is for a message that is not locked


class QueueRules:
    """The state of one queue. Tokens come from `new_token` and must never repeat."""

    def __init__(
        self, settings: QueueSettings, new_token: Callable[[], bytes], last_sequence: int = 0
    ) -> None:
        self.settings = settings
        self.last_sequence = last_sequence
        self.messages: dict[int, Message] = {}
        self._new_token = new_token
        self._locked: dict[bytes, Message] = {}
        self._ready: dict[bool, list[int]] = {False: [], True: []}
        self._timers: list[tuple[float, int, bytes]] = []

    def restore(self, messages: Iterable[Message]) -> None:
        """Take over messages as they were stored."""
        for message in messages:
            self._insert(message)

    def advance(self, now: float) -> list[Message]:
        """Do what became due: locks expire, scheduled messages become active, others outlive their time."""
        changed = []
        while self._timers and self._timers[0][0] <= now:
            _, sequence_number, token = heapq.heappop(self._timers)
            message = self.messages.get(sequence_number)
            if message is not None and (message.token or _UNLOCKED) == token and self._fall_due(message, now):
                changed.append(message)
        return changed

    def next_due(self) -> float:
        """When `advance` may have something to do."""
        return self._timers[0][0] if self._timers else math.inf

    def send(self, now: float, ttl: float | None = None, scheduled_at: float | None = None) -> Message:
        """Accept a message; the smaller of its time to live and the queue's counts."""
        enqueued_at = max(now, scheduled_at or now)
        self.last_sequence += 1
        message = Message(
            key=self.last_sequence,
            sequence_number=self.last_sequence,
            enqueued_at=enqueued_at,
            expires_at=enqueued_at + self.settings.effective_ttl(ttl),
            state=State.SCHEDULED if enqueued_at > now else State.ACTIVE,
        )
        self._insert(message)
        return message

    def acquire(self, now: float, *, dead_letters: bool = False) -> Message | None:
        """Lock the first message that is ready; None when there is none."""
        ready = self._ready[dead_letters]
        while ready:
            message = self.messages.get(heapq.heappop(ready))
            if message is not None and message.ready and message.is_dead is dead_letters:
                return self._lock(message, now)
        return None

    def has_ready(self, *, dead_letters: bool = False) -> bool:
        """Whether `acquire` may find a message."""
        return bool(self._ready[dead_letters])

    def acquire_deferred(
        self, sequence_numbers: Iterable[int], now: float, *, dead_letters: bool = False
    ) -> list[Message]:
        """Lock deferred messages; raises `MessageNotFoundError`, and locks none, if one is none."""
        found = self._find(sequence_numbers, State.DEFERRED)
        for message in found:
            if message.token is not None or message.is_dead is not dead_letters:
                raise MessageNotFoundError(message.sequence_number)
        return [self._lock(message, now) for message in found]

    def renew(self, token: bytes, now: float) -> Message:
        """Lock the message for another lock duration from now."""
        message = self._held(token, now)
        message.locked_until = now + self.settings.lock_duration_seconds
        return message

    def complete(self, token: bytes, now: float) -> Message:
        """Remove the message for good."""
        return self._remove(self._held(token, now), State.COMPLETED)

    def abandon(self, token: bytes, now: float) -> Message:
        """Give the message back and count the delivery as failed."""
        message = self._held(token, now)
        self._fail_delivery(message, now)
        return message

    def release(self, token: bytes, now: float) -> Message:
        """Give the message back as if it had not been delivered."""
        message = self._held(token, now)
        self._give_back(message, now)
        return message

    def defer(self, token: bytes, now: float) -> Message:
        """Set the message aside until it is asked for by its sequence number."""
        message = self._held(token, now)
        message.state = State.DEFERRED
        self._give_back(message, now)
        return message

    def dead_letter(self, token: bytes, now: float, why: DeadLetter) -> Message:
        """Move the message to the dead-letter queue."""
        message = self._held(token, now)
        self._bury(message, why)
        return message

    def cancel_scheduled(self, sequence_numbers: Iterable[int]) -> list[Message]:
        """Remove scheduled messages; raises `MessageNotFoundError`, and removes none, if one is none."""
        found = self._find(sequence_numbers, State.SCHEDULED)
        return [self._remove(message, State.CANCELLED) for message in found]

    def peek(self, start: int, count: int, *, dead_letters: bool = False) -> list[Message]:
        """Return up to `count` messages of any state, by sequence number from `start` on."""
        numbers = (
            number
            for number, message in self.messages.items()
            if number >= start and message.is_dead is dead_letters
        )
        return [self.messages[number] for number in heapq.nsmallest(count, numbers)]

    def _find(self, sequence_numbers: Iterable[int], state: State) -> list[Message]:
        found = []
        for number in dict.fromkeys(sequence_numbers):
            message = self.messages.get(number)
            if message is None or message.state is not state:
                raise MessageNotFoundError(number)
            found.append(message)
        return found

    def _insert(self, message: Message) -> None:
        self.messages[message.sequence_number] = message
        if message.token is not None:
            self._hold(message, message.token)
        elif message.state is State.ACTIVE:
            self._make_ready(message)
        if message.state is State.SCHEDULED:
            self._arm(message.enqueued_at, message, _UNLOCKED)
        elif message.expires_at < math.inf:
            self._arm(message.expires_at, message, _UNLOCKED)

    def _arm(self, when: float, message: Message, token: bytes) -> None:
        heapq.heappush(self._timers, (when, message.sequence_number, token))

    def _make_ready(self, message: Message) -> None:
        heapq.heappush(self._ready[message.is_dead], message.sequence_number)

    def _hold(self, message: Message, token: bytes) -> None:
        self._locked[token] = message
        self._arm(message.locked_until, message, token)

    def _lock(self, message: Message, now: float) -> Message:
        message.token = token = self._new_token()
        message.locked_until = now + self.settings.lock_duration_seconds
        self._hold(message, token)
        return message

    def _held(self, token: bytes, now: float) -> Message:
        message = self._locked.get(token)
        if message is None or message.locked_until <= now:
            raise LockLostError(token)
        return message

    def _unlock(self, message: Message) -> None:
        if message.token is not None:
            del self._locked[message.token]
            message.token = None

    def _fall_due(self, message: Message, now: float) -> bool:
        if message.token is not None:
            if message.locked_until > now:
                self._arm(message.locked_until, message, message.token)
                return False
            self._fail_delivery(message, now)
        elif message.state is State.SCHEDULED:
            self._activate(message)
        elif message.state is State.ACTIVE and not message.is_dead:
            self._expire(message)
        else:
            return False
        return True

    def _activate(self, message: Message) -> None:
        """A scheduled message joins the queue's end: it gets a sequence number of that moment."""
        del self.messages[message.sequence_number]
        self.last_sequence += 1
        message.sequence_number = self.last_sequence
        message.state = State.ACTIVE
        self._insert(message)

    def _fail_delivery(self, message: Message, now: float) -> None:
        message.delivery_count += 1
        maximum = self.settings.max_delivery_count
        if not message.is_dead and message.delivery_count >= maximum:
            text = f"Message could not be consumed after {maximum} delivery attempts."
            self._bury(message, DeadLetter(MAX_DELIVERY_COUNT_EXCEEDED, text))
        else:
            self._give_back(message, now)

    def _give_back(self, message: Message, now: float) -> None:
        self._unlock(message)
        if message.state is not State.ACTIVE:
            return
        if not message.is_dead and message.expires_at <= now:
            self._expire(message)
        else:
            self._make_ready(message)

    def _expire(self, message: Message) -> None:
        if self.settings.dead_lettering_on_expiration:
            self._bury(message, DeadLetter(TTL_EXPIRED, "The message expired and was dead lettered."))
        else:
            self._remove(message, State.EXPIRED)

    def _bury(self, message: Message, why: DeadLetter) -> None:
        self._unlock(message)
        message.dead_letter = why
        message.state = State.ACTIVE
        self._make_ready(message)

    def _remove(self, message: Message, state: State) -> Message:
        self._unlock(message)
        del self.messages[message.sequence_number]
        message.state = state
        return message
