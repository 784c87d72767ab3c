"""Encoded AMQP values walked over without decoding them."""

import struct
from collections.abc import Iterator
from typing import Final

from worker.local.broker.codec import DecodeError, compound_bounds, decode

_UINT: Final = struct.Struct(">I")
_FIXED_WIDTH: Final = {0x4: 0, 0x5: 1, 0x6: 2, 0x7: 4, 0x8: 8, 0x9: 16}


def skip(data: bytes, position: int) -> int:
    """Return the position behind the value at `position` without decoding it."""
    try:
        end = _skip(data, position)
    except (IndexError, struct.error) as error:
        raise DecodeError(f"malformed value at byte {position}: {error}") from error
    if end > len(data):
        raise DecodeError(f"value at byte {position} reaches beyond the end")
    return end


def map_entries(data: bytes, position: int) -> Iterator[tuple[object, bytes]]:
    """Yield each key of the map at `position` with the raw bytes of the whole entry."""
    end, count, cursor = compound_bounds(data, position)
    if data[position] not in {0xC1, 0xD1} or count % 2:
        raise DecodeError(f"expected a map at byte {position}")
    for _ in range(count // 2):
        key, behind_key = decode(data, cursor)
        behind = skip(data, behind_key)
        yield key, data[cursor:behind]
        cursor = behind
    if cursor != end:
        raise DecodeError(f"map at byte {position} has another size than it says")


def first_element(data: bytes, position: int) -> int:
    """Return where the first element of the list at `position` begins."""
    end, count, first = compound_bounds(data, position)
    if not count or data[position] not in {0xC0, 0xD0}:
        raise DecodeError(f"expected a list with elements at byte {position}")
    return min(first, end)


def _skip(data: bytes, position: int) -> int:
    while data[position] == 0:
        position = _skip_plain(data, position + 1)
    return _skip_plain(data, position)


def _skip_plain(data: bytes, position: int) -> int:
    kind = data[position] >> 4
    if kind in _FIXED_WIDTH:
        return position + 1 + _FIXED_WIDTH[kind]
    if kind in {0xA, 0xC, 0xE}:
        return position + 2 + data[position + 1]
    if kind in {0xB, 0xD, 0xF}:
        return position + 5 + int(_UINT.unpack_from(data, position + 1)[0])
    raise DecodeError(f"unknown type 0x{data[position]:02x} at byte {position}")
