"""AMQP 1.0 types, decoded from and encoded to bytes.

Decoding returns Python values with the position behind them. Timestamps are integers (milliseconds since
1970); decimals and characters, which the broker never looks into, come back as raw bytes.
Malformed input raises `DecodeError` and nothing else.
"""

import struct
from collections.abc import Callable
from typing import Final, NamedTuple
from uuid import UUID

_MAX_DEPTH: Final = 32
_BYTE: Final = struct.Struct(">B")
_UINT: Final = struct.Struct(">I")
_SIZE_COUNT_8: Final = struct.Struct(">BB")
_SIZE_COUNT_32: Final = struct.Struct(">II")

Decoder = Callable[[bytes, int, int], tuple[object, int]]


class DecodeError(ValueError):
    """The bytes are not what AMQP 1.0 allows."""


class Symbol(str):
    """An AMQP symbol: text from a set of names."""

    __slots__ = ()


class Described(NamedTuple):
    """A value with the descriptor that says what it is."""

    descriptor: object
    value: object


def decode(data: bytes, position: int = 0) -> tuple[object, int]:
    """Decode the value at `position`; returns it with the position behind it."""
    try:
        return _decode(data, position, 0)
    except (IndexError, struct.error, UnicodeDecodeError, TypeError) as error:
        raise DecodeError(f"malformed value at byte {position}: {error}") from error


def read_list(data: bytes, position: int) -> tuple[list[object], int]:
    """Decode the list at `position`."""
    value, end = decode(data, position)
    if not isinstance(value, list):
        raise DecodeError(f"expected a list at byte {position}")
    return value, end


def compound_bounds(data: bytes, position: int) -> tuple[int, int, int]:
    """End, number of elements and first position of the list, map or array at `position`."""
    try:
        if data[position] & 0xF0 in {0xC0, 0xE0}:
            size, count = _SIZE_COUNT_8.unpack_from(data, position + 1)
            end, first = position + 2 + size, position + 3
        else:
            size, count = _SIZE_COUNT_32.unpack_from(data, position + 1)
            end, first = position + 5 + size, position + 9
    except (IndexError, struct.error) as error:
        raise DecodeError(f"malformed value at byte {position}") from error
    if end > len(data) or first > end or count > size:
        raise DecodeError(f"value at byte {position} reaches beyond the end")
    return end, count, first


def _decode(data: bytes, position: int, depth: int) -> tuple[object, int]:
    decoder = _DECODERS[data[position]]
    if decoder is None:
        raise DecodeError(f"unknown type 0x{data[position]:02x} at byte {position}")
    return decoder(data, position + 1, depth)


def _constant(value: object) -> Decoder:
    return lambda _data, position, _depth: (value, position)


def _number(layout: str) -> Decoder:
    unpack, size = struct.Struct(layout).unpack_from, struct.calcsize(layout)
    return lambda data, position, _depth: (unpack(data, position)[0], position + size)


def _variable(width: int, convert: Callable[[bytes], object]) -> Decoder:
    length_at = (_BYTE if width == 1 else _UINT).unpack_from

    def read(data: bytes, position: int, _depth: int) -> tuple[object, int]:
        start = position + width
        end = start + length_at(data, position)[0]
        if end > len(data):
            raise DecodeError(f"value at byte {position} reaches beyond the end")
        return convert(data[start:end]), end

    return read


def _raw(width: int, convert: Callable[[bytes], object] = bytes) -> Decoder:
    def read(data: bytes, position: int, _depth: int) -> tuple[object, int]:
        end = position + width
        if end > len(data):
            raise DecodeError(f"value at byte {position} reaches beyond the end")
        return convert(data[position:end]), end

    return read


def _elements(data: bytes, position: int, depth: int) -> tuple[list[object], int]:
    if depth > _MAX_DEPTH:
        raise DecodeError("values are nested too deeply")
    end, count, cursor = compound_bounds(data, position - 1)
    values = []
    for _ in range(count):
        value, cursor = _decode(data, cursor, depth + 1)
        values.append(value)
    if cursor != end:
        raise DecodeError(f"value at byte {position} has another size than it says")
    return values, end


def _mapping(data: bytes, position: int, depth: int) -> tuple[object, int]:
    values, end = _elements(data, position, depth)
    if len(values) % 2:
        raise DecodeError("a map has a key without a value")
    return dict(zip(values[::2], values[1::2], strict=True)), end


def _array(data: bytes, position: int, depth: int) -> tuple[object, int]:
    end, count, cursor = compound_bounds(data, position - 1)
    if not count:
        return [], end
    element = _DECODERS[data[cursor]]
    if data[cursor] == 0 or element is None or depth > _MAX_DEPTH:
        raise DecodeError(f"unknown array of type 0x{data[cursor]:02x} at byte {position}")
    cursor += 1
    values = []
    for _ in range(count):
        value, cursor = element(data, cursor, depth + 1)
        values.append(value)
    if cursor != end:
        raise DecodeError(f"array at byte {position} has another size than it says")
    return values, end


def _described(data: bytes, position: int, depth: int) -> tuple[object, int]:
    if depth > _MAX_DEPTH:
        raise DecodeError("values are nested too deeply")
    descriptor, position = _decode(data, position, depth + 1)
    value, position = _decode(data, position, depth + 1)
    return Described(descriptor, value), position


def _text(data: bytes) -> str:
    return data.decode("utf-8")


def _symbol(data: bytes) -> Symbol:
    return Symbol(data.decode("ascii"))


_DECODERS: Final[list[Decoder | None]] = [None] * 256
for _code, _decoder in {
    0x00: _described,
    0x40: _constant(None),
    0x41: _constant(True),  # noqa: FBT003 - the value of the type, not a flag
    0x42: _constant(False),  # noqa: FBT003 - as above
    0x43: _constant(0),
    0x44: _constant(0),
    0x45: lambda _data, position, _depth: ([], position),
    0x50: _number(">B"),
    0x51: _number(">b"),
    0x52: _number(">B"),
    0x53: _number(">B"),
    0x54: _number(">b"),
    0x55: _number(">b"),
    0x56: _number(">?"),
    0x60: _number(">H"),
    0x61: _number(">h"),
    0x70: _number(">I"),
    0x71: _number(">i"),
    0x72: _number(">f"),
    0x73: _raw(4),
    0x74: _raw(4),
    0x80: _number(">Q"),
    0x81: _number(">q"),
    0x82: _number(">d"),
    0x83: _number(">q"),
    0x84: _raw(8),
    0x94: _raw(16),
    0x98: _raw(16, lambda data: UUID(bytes=data)),
    0xA0: _variable(1, bytes),
    0xA1: _variable(1, _text),
    0xA3: _variable(1, _symbol),
    0xB0: _variable(4, bytes),
    0xB1: _variable(4, _text),
    0xB3: _variable(4, _symbol),
    0xC0: _elements,
    0xC1: _mapping,
    0xD0: _elements,
    0xD1: _mapping,
    0xE0: _array,
    0xF0: _array,
}.items():
    _DECODERS[_code] = _decoder
