"""Frames and performatives: what goes over a connection, as bytes and as checked fields."""

import struct
from typing import Final, NamedTuple, TypeVar

from worker.local.broker import encode
from worker.local.broker.codec import DecodeError, Described, decode, read_list
from worker.local.broker.errors import DECODE_ERROR, FRAMING_ERROR, INVALID_FIELD, AmqpError

AMQP_HEADER: Final = b"AMQP\x00\x01\x00\x00"
SASL_HEADER: Final = b"AMQP\x03\x01\x00\x00"
AMQP_FRAME: Final = 0
SASL_FRAME: Final = 1
FRAME_HEAD: Final = 8

OPEN: Final = 0x10
BEGIN: Final = 0x11
ATTACH: Final = 0x12
FLOW: Final = 0x13
TRANSFER: Final = 0x14
DISPOSITION: Final = 0x15
DETACH: Final = 0x16
END: Final = 0x17
CLOSE: Final = 0x18
ERROR: Final = 0x1D
ACCEPTED: Final = 0x24
REJECTED: Final = 0x25
RELEASED: Final = 0x26
MODIFIED: Final = 0x27
SOURCE: Final = 0x28
TARGET: Final = 0x29
SASL_MECHANISMS: Final = 0x40
SASL_INIT: Final = 0x41
SASL_OUTCOME: Final = 0x44

_HEAD: Final = struct.Struct(">IBBH")
_UINT_MAX: Final = 0xFFFFFFFF
_TRANSFER_HEAD: Final = b"\x00\x53\x14\xc0"
_T = TypeVar("_T")


class Frame(NamedTuple):
    """A performative with its fields, still unchecked, and the payload behind it."""

    code: int
    fields: list[object]
    payload: bytes


def frame_size(data: bytes | bytearray, position: int, limit: int) -> int:
    """Return the size of the frame that starts at `position`."""
    size = int.from_bytes(data[position : position + 4], "big")
    if not FRAME_HEAD <= size <= limit:
        raise AmqpError(FRAMING_ERROR, f"a frame of {size} bytes (the limit is {limit})")
    return size


def read_frame(data: bytes, expected_type: int) -> tuple[int, Frame | None]:
    """Return the channel and the performative of a whole frame; None for an empty one (a heartbeat)."""
    size, offset, frame_type, channel = _HEAD.unpack_from(data)
    start = 4 * offset
    if start < FRAME_HEAD or start > size or frame_type != expected_type:
        raise AmqpError(FRAMING_ERROR, "the frame's header is malformed")
    if start == size:
        return channel, None
    if data[start] != 0:
        raise AmqpError(DECODE_ERROR, "a frame's body must be a described list")
    try:
        code, position = decode(data, start + 1)
        fields, end = read_list(data, position)
    except DecodeError as error:
        raise AmqpError(DECODE_ERROR, str(error)) from error
    if not isinstance(code, int):
        raise AmqpError(DECODE_ERROR, "a performative's descriptor must be a number")
    return channel, Frame(code, fields, data[end:])


def optional(fields: list[object], index: int, kind: type[_T]) -> _T | None:
    """Return a field of this type, or None when it is null or left out."""
    value = fields[index] if index < len(fields) else None
    if value is None:
        return None
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise AmqpError(INVALID_FIELD, f"field {index} must be of type {kind.__name__}")
    return value


def uint(fields: list[object], index: int, default: int | None = None) -> int:
    """Return an unsigned field of 32 bits; without a default it is mandatory."""
    value = optional(fields, index, int)
    if value is None:
        value = default
    if value is None or not 0 <= value <= _UINT_MAX:
        raise AmqpError(INVALID_FIELD, f"field {index} must be an unsigned integer")
    return value


def flag(fields: list[object], index: int) -> bool:
    """Return a boolean field that is false when left out."""
    return optional(fields, index, bool) or False


def terminus_address(fields: list[object], index: int) -> str:
    """Return the address in a source or target; empty when there is none."""
    terminus = optional(fields, index, Described)
    if terminus is None or not isinstance(terminus.value, list):
        return ""
    return optional(terminus.value, 0, str) or ""


def frame(channel: int, code: int, fields: list[bytes], payload: bytes = b"") -> bytes:
    """Encode a frame; trailing nulls are left out."""
    while fields and fields[-1] == encode.NULL:
        fields.pop()
    body = encode.described(code, encode.sequence(fields))
    return _HEAD.pack(FRAME_HEAD + len(body) + len(payload), 2, AMQP_FRAME, channel) + body + payload


def sasl_frame(code: int, fields: list[bytes]) -> bytes:
    """Encode a frame of the SASL layer."""
    body = encode.described(code, encode.sequence(fields))
    return _HEAD.pack(FRAME_HEAD + len(body), 2, SASL_FRAME, 0) + body


def error(problem: AmqpError) -> bytes:
    """Encode an error. Its info is always there: the SDK fails on errors without."""
    info = encode.mapping([(encode.symbol("server"), encode.string("jsworker"))])
    fields = [encode.symbol(problem.condition), encode.string(problem.description[:1024]), info]
    return encode.described(ERROR, encode.sequence(fields))


def outcome(code: int, problem: AmqpError | None = None) -> bytes:
    """Encode the final state of a delivery."""
    return encode.described(code, encode.sequence([error(problem)] if problem else []))


def terminus(code: int, address: str) -> bytes:
    """Encode a source or target."""
    return encode.described(code, encode.sequence([encode.string(address)]))


def attach_reply(fields: list[object], limit: int, *, refused: bool) -> list[bytes]:
    """Answer an attach in kind, without source and target when it is refused."""
    peer_receives = flag(fields, 2)
    source, target = (
        encode.NULL if refused else terminus(code, terminus_address(fields, index))
        for code, index in ((SOURCE, 5), (TARGET, 6))
    )
    return [
        encode.string(optional(fields, 0, str) or ""),
        encode.uint(uint(fields, 1)),
        encode.boolean(not peer_receives),
        encode.ubyte(uint(fields, 3, 2) & 3),
        encode.ubyte(uint(fields, 4, 0) & 1),
        source,
        target,
        encode.NULL,
        encode.NULL,
        encode.ZERO_UINT if peer_receives else encode.NULL,
        encode.ulong(limit),
    ]


def disposition(channel: int, delivery_id: int, state: bytes, *, from_receiver: bool) -> bytes:
    """Encode the settlement of one delivery."""
    number = encode.uint(delivery_id)
    return frame(channel, DISPOSITION, [encode.boolean(from_receiver), number, number, encode.TRUE, state])


def transfers(  # noqa: PLR0913 - the fields of the performative
    channel: int, handle: int, delivery_id: int, tag: bytes, payload: bytes, *, settled: bool, limit: int
) -> list[bytes]:
    """Encode a message as frames of at most `limit` bytes each."""
    first = encode.uint(handle) + encode.uint(delivery_id) + encode.binary(tag) + encode.ZERO_UINT
    first += encode.boolean(settled)
    frames = []
    room = limit - FRAME_HEAD - len(first) - 8
    for start in range(0, len(payload) or 1, room):
        piece = payload[start : start + room]
        more = encode.boolean(start + room < len(payload))
        body = b"%b%c\x06%b%b%b" % (_TRANSFER_HEAD, len(first) + 2, first, more, piece)
        frames.append(_HEAD.pack(FRAME_HEAD + len(body), 2, AMQP_FRAME, channel) + body)
    return frames
