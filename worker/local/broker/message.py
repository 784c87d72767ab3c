"""Messages on the wire: sections taken apart on the way in, put together for each delivery.

The bare message (properties, application properties, body, footer) is kept as the bytes the sender wrote.
Header and message annotations are rendered anew for each delivery, because they carry its count and lock.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from worker.local.broker import encode
from worker.local.broker.codec import DecodeError, decode, read_list
from worker.local.broker.scan import first_element, map_entries, skip
from worker.local.broker.values import Message

BATCH_FORMAT: Final = 0x80013700

_HEADER: Final = 0x70
_DELIVERY_ANNOTATIONS: Final = 0x71
_MESSAGE_ANNOTATIONS: Final = 0x72
PROPERTIES: Final = 0x73
APPLICATION_PROPERTIES: Final = 0x74
_DATA: Final = 0x75
_VALUE: Final = 0x77
_FOOTER: Final = 0x78
_SCHEDULED_AT: Final = "x-opt-scheduled-enqueue-time"
_BROKER_ANNOTATIONS: Final = frozenset(
    {
        "x-opt-enqueued-time",
        "x-opt-sequence-number",
        "x-opt-enqueue-sequence-number",
        "x-opt-locked-until",
        "x-opt-message-state",
    }
)
_ANNOTATIONS: Final = (
    encode.symbol("x-opt-enqueued-time")
    + b"\x83%b"
    + encode.symbol("x-opt-sequence-number")
    + b"\x81%b"
    + encode.symbol("x-opt-enqueue-sequence-number")
    + b"\x81%b"
    + encode.symbol("x-opt-message-state")
    + b"\x71%b"
)
_LOCKED_UNTIL: Final = encode.symbol("x-opt-locked-until")
_INT: Final = struct.Struct(">i").pack
_LONG: Final = struct.Struct(">q").pack
_TTL_LIMIT: Final = 0xFFFFFFFF  # milliseconds; clients write it for "never"
_END_OF_TIME: Final = 253_402_300_800_000  # milliseconds; the year 10000
_REASON: Final = "DeadLetterReason"
_DESCRIPTION: Final = "DeadLetterErrorDescription"


@dataclass(frozen=True, slots=True)
class Content:
    """What the store keeps of a message's bytes; `annotations` are map entries, `header` list fields."""

    header: bytes
    annotations: bytes
    annotation_count: int
    bare: bytes

    @property
    def size(self) -> int:
        """How many bytes there are."""
        return len(self.header) + len(self.annotations) + len(self.bare)


@dataclass(frozen=True, slots=True)
class Incoming:
    """A message as it was sent: what the rules ask for, and the sections."""

    message_id: bytes | None
    ttl: float | None
    scheduled_at: float | None
    priority: bytes
    annotations: bytes
    annotation_count: int
    bare: bytes

    def content(self, ttl: float) -> Content:
        """What is to be stored, with the time to live that the queue grants (seconds, may be infinite)."""
        shown = encode.uint(encode.milliseconds(ttl)) if ttl < _TTL_LIMIT / 1000 else encode.NULL
        header = encode.TRUE + self.priority + shown
        return Content(header, self.annotations, self.annotation_count, self.bare)


def sections(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield the code of each section with the positions of its value and behind it."""
    position = 0
    while position < len(data):
        if data[position] != 0:
            raise DecodeError(f"expected a section at byte {position}")
        code, start = decode(data, position + 1)
        end = skip(data, start)
        if start != position + 3:  # a long descriptor: readers expect the short one
            raise DecodeError(f"unexpected descriptor at byte {position}")
        if not isinstance(code, int) or not _HEADER <= code <= _FOOTER:
            raise DecodeError(f"unknown section {code!r} at byte {position}")
        yield code, start, end
        position = end


def parse(data: bytes) -> Incoming:
    """Take a sent message apart."""
    message_id, ttl, scheduled_at, priority = None, None, None, encode.NULL
    annotations: list[bytes] = []
    bare = bytearray()
    for code, start, end in sections(data):
        if code == _HEADER:
            priority, ttl = _read_header(data, start)
        elif code == _MESSAGE_ANNOTATIONS:
            annotations, scheduled_at = _read_annotations(data, start)
        elif code != _DELIVERY_ANNOTATIONS:
            if code == PROPERTIES:
                message_id = _read_message_id(data, start)
            elif code == APPLICATION_PROPERTIES:
                _check_map(data, start)
            bare += b"\x00\x53%c" % code
            bare += data[start:end]
    return Incoming(
        message_id, ttl, scheduled_at, priority, b"".join(annotations), 2 * len(annotations), bytes(bare)
    )


def split_batch(data: bytes) -> list[bytes]:
    """Return the messages that a batch carries, one in each data section."""
    messages = []
    for code, start, _ in sections(data):
        if code == _DATA:
            value, _ = decode(data, start)
            if not isinstance(value, bytes):
                raise DecodeError("a batch carries something that is no message")
            messages.append(value)
    if not messages:
        raise DecodeError("the batch is empty")
    return messages


def read_request(data: bytes) -> tuple[bytes, dict[object, object], object]:
    """Return the raw message id, the application properties and the value of a management request."""
    message_id, properties, body = encode.NULL, {}, None
    for code, start, _ in sections(data):
        if code == PROPERTIES:
            message_id = _read_message_id(data, start) or encode.NULL
        elif code == APPLICATION_PROPERTIES:
            value, _ = decode(data, start)
            properties = value if isinstance(value, dict) else {}
        elif code == _VALUE:
            body, _ = decode(data, start)
    return message_id, properties, body


def render_response(correlation_id: bytes, properties: bytes, body: bytes) -> bytes:
    """Encode the answer to a request from encoded parts."""
    fields = [encode.NULL] * 5 + [correlation_id]
    return b"".join(
        (
            encode.described(PROPERTIES, encode.sequence(fields)),
            encode.described(APPLICATION_PROPERTIES, properties),
            encode.described(_VALUE, body),
        )
    )


def render(message: Message, content: Content, skew: float = 0.0) -> bytes:
    """Encode a message for one delivery, by a clock that is `skew` seconds ahead."""
    header = content.header + encode.boolean(not message.delivery_count) + encode.uint(message.delivery_count)
    annotations = content.annotations + _ANNOTATIONS % (
        _LONG(encode.milliseconds(message.enqueued_at + skew)),
        _LONG(message.sequence_number),
        _LONG(message.key),
        _INT(message.state),
    )
    count = content.annotation_count + 8
    if message.token is not None:
        annotations += _LOCKED_UNTIL + encode.timestamp(message.locked_until + skew)
        count += 2
    return b"".join(
        (
            b"\x00\x53\x70\xc0%c\x05" % (len(header) + 1),
            header,
            b"\x00\x53\x72",
            encode.raw_map(annotations, count),
            _with_reason(message, content.bare),
        )
    )


def _with_reason(message: Message, bare: bytes) -> bytes:
    """Say in the application properties why a message is dead; that is where clients look."""
    why = message.dead_letter
    if why is None:
        return bare
    texts = [(_REASON, why.reason), (_DESCRIPTION, why.description)]
    entries = [encode.string(key) + encode.string(text) for key, text in texts if text is not None]
    before, after = b"", b""
    for code, start, end in sections(bare):
        if code == APPLICATION_PROPERTIES:
            sent = map_entries(bare, start)
            entries += [raw for key, raw in sent if key not in {_REASON, _DESCRIPTION}]
        elif code == PROPERTIES:
            before = bare[:end]
        else:
            after = bare[start - 3 :]
            break
    added = encode.raw_map(b"".join(entries), 2 * len(entries))
    return before + encode.described(APPLICATION_PROPERTIES, added) + after


def _read_header(data: bytes, position: int) -> tuple[bytes, float | None]:
    fields, _ = read_list(data, position)
    _, priority, ttl, *_ = [*fields, None, None, None]
    encoded = encode.ubyte(priority & 0xFF) if isinstance(priority, int) else encode.NULL
    return encoded, ttl / 1000 if isinstance(ttl, int) and 0 <= ttl < _TTL_LIMIT else None


def _read_annotations(data: bytes, position: int) -> tuple[list[bytes], float | None]:
    kept, scheduled_at = [], None
    for key, raw in map_entries(data, position):
        if key == _SCHEDULED_AT:
            when, _ = decode(raw, skip(raw, 0))
            scheduled_at = when / 1000 if isinstance(when, int) and 0 < when < _END_OF_TIME else None
        if key not in _BROKER_ANNOTATIONS:
            kept.append(raw)
    return kept, scheduled_at


def _read_message_id(data: bytes, position: int) -> bytes | None:
    """The raw bytes of the first field of the properties."""
    if data[position] == encode.EMPTY_LIST[0]:
        return None
    start = first_element(data, position)
    raw = data[start : skip(data, start)]
    return None if raw == encode.NULL else raw


def _check_map(data: bytes, position: int) -> None:
    """Refuse now what could not be dead-lettered later."""
    for _ in map_entries(data, position):
        pass
