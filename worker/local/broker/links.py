"""The broker's ends of links: messages that come in, and messages that go out to a consumer."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple, Protocol

from worker.local.broker import frames
from worker.local.broker.codec import Described
from worker.local.broker.errors import ILLEGAL_STATE, MESSAGE_SIZE_EXCEEDED, AmqpError
from worker.local.broker.message import BATCH_FORMAT, Incoming, parse, split_batch
from worker.local.broker.queues import Action, Queue
from worker.local.broker.values import DeadLetter

_CREDIT = 1000
_TOP_UP_AT = 500


class Delivery(NamedTuple):
    """A whole message that came in. `data` is None when it was larger than the link allows."""

    number: int
    message_format: int
    settled: bool
    data: bytes | None


class Carrier(Protocol):
    """What links need of the session they belong to."""

    @property
    def writable(self) -> bool:
        """Whether the peer keeps up with what is sent to it."""

    def transfer(self, handle: int, tag: bytes, data: bytes, *, settled: bool) -> int:
        """Send a message; returns its delivery number."""

    def flow(self, handle: int, delivery_count: int, credit: int, *, drain: bool = False) -> None:
        """Tell the state of a link."""


class Link(Protocol):
    """One end of a link."""

    def on_transfer(self, fields: list[object], payload: bytes, /) -> None:
        """Take a frame of a message."""

    def on_flow(self, fields: list[object]) -> None:
        """Take the peer's view of the link."""

    def close(self) -> None:
        """The link is gone."""


class InboundLink:
    """Puts messages together from their frames and hands each over. Grants credit for ever."""

    def __init__(
        self, carrier: Carrier, handle: int, limit: int, on_message: Callable[[Delivery], None]
    ) -> None:
        self._carrier = carrier
        self._handle = handle
        self._limit = limit
        self._on_message = on_message
        self._received = 0
        self._granted = 0
        self._first: list[object] | None = None
        self._data = bytearray()
        self._size = 0

    def grant_credit(self) -> None:
        """Let the peer send more when little is left."""
        if self._granted - self._received <= _TOP_UP_AT:
            self._granted = self._received + _CREDIT
            self._carrier.flow(self._handle, self._received, _CREDIT)

    def on_transfer(self, fields: list[object], payload: bytes) -> None:
        """Take a frame of a message."""
        if self._first is None:
            self._first = fields
        self._size += len(payload)
        if self._size <= self._limit:
            self._data += payload
        aborted = frames.flag(fields, 9)
        if aborted or not frames.flag(fields, 5):
            first, data, size = self._first, bytes(self._data), self._size
            self._first, self._data, self._size = None, bytearray(), 0
            self._received += 1
            if not aborted:
                self._hand_over(first, data if size <= self._limit else None)
            self.grant_credit()

    def on_flow(self, fields: list[object]) -> None:
        """Senders' flows say nothing that matters here."""

    def close(self) -> None:
        """Nothing to undo: half a message is no message."""

    def _hand_over(self, first: list[object], data: bytes | None) -> None:
        number = frames.uint(first, 1)
        message_format = frames.uint(first, 3, 0)
        self._on_message(Delivery(number, message_format, frames.flag(first, 4), data))


class ResponseLink:
    """Carries answers of `$management` and `$cbs`; whether there is credit for them is not looked at."""

    def on_transfer(self, _fields: list[object], _payload: bytes) -> None:
        """Refuse: the peer is the receiver here."""
        raise AmqpError(ILLEGAL_STATE, "a transfer on a link that only receives")

    def on_flow(self, fields: list[object]) -> None:
        """Each answer was asked for, so credit says nothing."""

    def close(self) -> None:
        """Nothing to undo."""


class ConsumerLink(ResponseLink):
    """Takes messages from a queue as far as its credit goes."""

    def __init__(
        self, carrier: Carrier, handle: int, queue: Queue, *, dead_letters: bool, delete: bool
    ) -> None:
        self.in_line = False
        self.queue = queue
        self._carrier = carrier
        self._handle = handle
        self._dead_letters = dead_letters
        self._delete = delete
        self._credit = 0
        self._delivery_count = 0
        self._open = True
        self.unsettled: dict[int, bytes] = {}

    @property
    def ready(self) -> bool:
        """Whether the peer asked for more messages and takes them."""
        return self._credit > 0 and self._open and self._carrier.writable

    def offer(self) -> None:
        """Get in line at the queue."""
        self.queue.offer(self, dead_letters=self._dead_letters)

    def reserve(self) -> None:
        """Spend one credit on a message that will come."""
        self._credit -= 1
        self._delivery_count += 1

    def deliver(self, token: bytes, data: bytes) -> bool:
        """Send a message; in receive-and-delete it is removed first. False when the link is gone."""
        if not self._open:
            return False
        if self._delete:
            self.queue.complete(token, partial(self._send, token, data))
        else:
            self.unsettled[self._send(token, data)] = token
        return True

    def take_unsettled(self, first: int, last: int) -> list[tuple[int, bytes]]:
        """Take out the deliveries in this range, with their lock tokens; none whose settlement is lost."""
        in_range = [first] if first == last else [n for n in self.unsettled if first <= n <= last]
        numbers = [number for number in in_range if number in self.unsettled and not self._loses_settlement()]
        return [(number, self.unsettled.pop(number)) for number in numbers]

    def on_flow(self, fields: list[object]) -> None:
        """Take the peer's credit; on drain, what no message is there for is used up at once."""
        count, credit, drain = frames.uint(fields, 5, 0), frames.uint(fields, 6, 0), frames.flag(fields, 8)
        self._credit = max(0, count + credit - self._delivery_count)
        self.offer()
        if drain:
            self._delivery_count += self._credit
            self._credit = 0
        if drain or frames.flag(fields, 9):
            self.queue.after_commit(partial(self._tell_flow, drain=drain))

    def close(self) -> None:
        """Take no more messages; locks of delivered ones stay until they expire."""
        self._open = False
        self.unsettled.clear()

    def _loses_settlement(self) -> bool:
        return self.queue.faults.happens("lose_settlement_rate")

    def _send(self, token: bytes, data: bytes) -> int:
        return self._carrier.transfer(self._handle, token, data, settled=self._delete) if self._open else 0

    def _tell_flow(self, *, drain: bool) -> None:
        if self._open:
            self._carrier.flow(self._handle, self._delivery_count, self._credit, drain=drain)


def unpack(delivery: Delivery) -> list[Incoming]:
    """Return the messages of a delivery: one, or those of a batch."""
    if delivery.data is None:
        raise AmqpError(MESSAGE_SIZE_EXCEEDED, "the message is larger than the queue allows")
    batch = split_batch(delivery.data) if delivery.message_format == BATCH_FORMAT else [delivery.data]
    return [parse(data) for data in batch]


def settle(queue: Queue, token: bytes, state: Described, then: Action) -> None:
    """Apply the outcome a client wants for a message.

    Raises:
        LockLostError: the lock expired or was used.
        AmqpError: the outcome is none that a queue knows.
    """
    fields = state.value if isinstance(state.value, list) else []
    if state.descriptor == frames.ACCEPTED:
        queue.complete(token, then)
    elif state.descriptor == frames.RELEASED:
        queue.release(token, then)
    elif state.descriptor == frames.REJECTED:
        queue.dead_letter(token, _why(fields), then)
    elif state.descriptor != frames.MODIFIED:
        raise AmqpError(ILLEGAL_STATE, "an unknown outcome")
    elif frames.flag(fields, 1):
        queue.defer(token, then)
    elif frames.flag(fields, 0):
        queue.abandon(token, then)
    else:
        queue.release(token, then)


def _why(fields: list[object]) -> DeadLetter:
    problem = frames.optional(fields, 0, Described)
    details = problem.value if problem and isinstance(problem.value, list) else []
    info = frames.optional(details, 2, dict) or {}
    return DeadLetter(
        text_or_none(info, "DeadLetterReason"), text_or_none(info, "DeadLetterErrorDescription")
    )


def text_or_none(values: dict[object, object], key: str) -> str | None:
    """Return a text from a decoded map; anything else counts as absent."""
    value = values.get(key)
    return value if isinstance(value, str) else None
