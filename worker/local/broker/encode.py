"""AMQP 1.0 types as bytes, one function a type: the dialect leaves no choice to guess at."""

import struct
from collections.abc import Iterable, Sequence
from typing import Final
from uuid import UUID

NULL: Final = b"\x40"
TRUE: Final = b"\x41"
FALSE: Final = b"\x42"
ZERO_UINT: Final = b"\x43"
EMPTY_LIST: Final = b"\x45"
EMPTY_MAP: Final = b"\xc1\x01\x00"

_NARROW: Final = 255
_TAGGED_BYTE: Final = struct.Struct(">cB")
_TAGGED_INT: Final = struct.Struct(">ci")
_TAGGED_UINT: Final = struct.Struct(">cI")
_TAGGED_LONG: Final = struct.Struct(">cq")
_TAGGED_ULONG: Final = struct.Struct(">cQ")
_LONG: Final = struct.Struct(">q")


def boolean(value: bool) -> bytes:  # noqa: FBT001 - a value to encode, not a flag
    """Encode a boolean."""
    return TRUE if value else FALSE


def uint(value: int) -> bytes:
    """Encode an unsigned integer of 32 bits."""
    return _TAGGED_BYTE.pack(b"\x52", value) if value <= _NARROW else _TAGGED_UINT.pack(b"\x70", value)


def ulong(value: int) -> bytes:
    """Encode an unsigned integer of 64 bits."""
    return _TAGGED_BYTE.pack(b"\x53", value) if value <= _NARROW else _TAGGED_ULONG.pack(b"\x80", value)


def ubyte(value: int) -> bytes:
    """Encode an unsigned byte."""
    return _TAGGED_BYTE.pack(b"\x50", value)


def ushort(value: int) -> bytes:
    """Encode an unsigned integer of 16 bits."""
    return struct.pack(">cH", b"\x60", value)


def integer(value: int) -> bytes:
    """Encode a signed integer of 32 bits."""
    return _TAGGED_INT.pack(b"\x71", value)


def long(value: int) -> bytes:
    """Encode a signed integer of 64 bits."""
    return _TAGGED_LONG.pack(b"\x81", value)


def timestamp(seconds: float) -> bytes:
    """Encode a point in time, given in seconds since 1970."""
    return _TAGGED_LONG.pack(b"\x83", milliseconds(seconds))


def milliseconds(seconds: float) -> int:
    """Return a time in the unit of AMQP."""
    return round(seconds * 1000)


def uuid(value: UUID) -> bytes:
    """Encode a UUID."""
    return b"\x98" + value.bytes


def binary(value: bytes) -> bytes:
    """Encode bytes."""
    return _variable(b"\xa0", b"\xb0", value)


def string(value: str) -> bytes:
    """Encode text."""
    return _variable(b"\xa1", b"\xb1", value.encode())


def symbol(value: str) -> bytes:
    """Encode a symbol; its characters must be ASCII."""
    return _variable(b"\xa3", b"\xb3", value.encode("ascii"))


def optional_string(value: str | None) -> bytes:
    """Encode text or null."""
    return NULL if value is None else string(value)


def sequence(fields: Sequence[bytes]) -> bytes:
    """Encode a list of encoded values."""
    return _compound(b"\xc0", b"\xd0", b"".join(fields), len(fields)) if fields else EMPTY_LIST


def mapping(entries: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Encode a map of encoded keys and values."""
    flat = [part for entry in entries for part in entry]
    return raw_map(b"".join(flat), len(flat))


def raw_map(content: bytes, count: int) -> bytes:
    """Encode a map whose content holds `count` keys and values one behind the other."""
    return _compound(b"\xc1", b"\xd1", content, count)


def described(code: int, value: bytes) -> bytes:
    """Put the descriptor `code` before an encoded value."""
    return b"\x00" + ulong(code) + value


def array_of_longs(values: Sequence[int]) -> bytes:
    """Encode an array of signed integers of 64 bits."""
    return _compound(b"\xe0", b"\xf0", b"\x81" + b"".join(map(_LONG.pack, values)), len(values))


def array_of_timestamps(times: Sequence[float]) -> bytes:
    """Encode an array of points in time, given in seconds since 1970."""
    content = b"".join(_LONG.pack(milliseconds(time)) for time in times)
    return _compound(b"\xe0", b"\xf0", b"\x83" + content, len(times))


def _variable(narrow: bytes, wide: bytes, value: bytes) -> bytes:
    size = len(value)
    head = _TAGGED_BYTE.pack(narrow, size) if size <= _NARROW else _TAGGED_UINT.pack(wide, size)
    return head + value


def _compound(narrow: bytes, wide: bytes, content: bytes, count: int) -> bytes:
    size = len(content)
    if size < _NARROW and count <= _NARROW:
        return struct.pack(">cBB", narrow, size + 1, count) + content
    return struct.pack(">cII", wide, size + 4, count) + content
