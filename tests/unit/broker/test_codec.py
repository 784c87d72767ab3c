"""AMQP types: what is encoded decodes to the same, and what is malformed is refused."""

import uuid
from collections.abc import Callable

import pytest
from azure.servicebus._pyamqp._decode import _DECODE_BY_CONSTRUCTOR
from hypothesis import given
from hypothesis import strategies as st

from worker.local.broker import encode
from worker.local.broker.codec import DecodeError, Described, Symbol, decode
from worker.local.broker.scan import map_entries, skip

scalars = st.one_of(
    st.just((encode.NULL, None)),
    st.booleans().map(lambda value: (encode.boolean(value), value)),
    st.integers(0, 255).map(lambda value: (encode.ubyte(value), value)),
    st.integers(0, 2**16 - 1).map(lambda value: (encode.ushort(value), value)),
    st.integers(0, 2**32 - 1).map(lambda value: (encode.uint(value), value)),
    st.integers(0, 2**64 - 1).map(lambda value: (encode.ulong(value), value)),
    st.integers(-(2**31), 2**31 - 1).map(lambda value: (encode.integer(value), value)),
    st.integers(-(2**63), 2**63 - 1).map(lambda value: (encode.long(value), value)),
    st.integers(0, 2**41).map(lambda value: (encode.timestamp(value / 1000), value)),
    st.uuids().map(lambda value: (encode.uuid(value), value)),
    st.binary(max_size=400).map(lambda value: (encode.binary(value), value)),
    st.text(max_size=300).map(lambda value: (encode.string(value), value)),
    st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1).map(
        lambda value: (encode.array_of_longs(value), value)
    ),
)


def as_list(items: list[tuple[bytes, object]]) -> tuple[bytes, object]:
    return encode.sequence([raw for raw, _ in items]), [value for _, value in items]


def as_map(items: dict[str, tuple[bytes, object]]) -> tuple[bytes, object]:
    raw = encode.mapping((encode.string(key), raw) for key, (raw, _) in items.items())
    return raw, {key: value for key, (_, value) in items.items()}


def as_described(item: tuple[bytes, object]) -> tuple[bytes, object]:
    return encode.described(0x77, item[0]), Described(0x77, item[1])


values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=5).map(as_list),
        st.dictionaries(st.text(max_size=5), inner, max_size=4).map(as_map),
        inner.map(as_described),
    ),
    max_leaves=12,
)


@given(values)
def test_what_is_encoded_decodes_to_the_same(value: tuple[bytes, object]) -> None:
    raw, expected = value
    assert decode(raw) == (expected, len(raw))
    assert skip(raw, 0) == len(raw)


@given(scalars)
def test_the_sdk_reads_the_same(value: tuple[bytes, object]) -> None:
    raw, expected = value
    rest, read = _DECODE_BY_CONSTRUCTOR[raw[0]](memoryview(raw)[1:], 0)
    assert len(rest) == 0
    assert read == (expected.encode() if isinstance(expected, str) else expected)


@given(values, st.data())
def test_a_value_cut_short_is_refused(value: tuple[bytes, object], data: st.DataObject) -> None:
    raw, _ = value
    cut = raw[: data.draw(st.integers(0, len(raw) - 1))]
    with pytest.raises(DecodeError):
        decode(cut)
    with pytest.raises(DecodeError):
        skip(cut, 0)


@given(st.binary(max_size=200))
def test_any_bytes_decode_or_are_refused(data: bytes) -> None:
    for read in (decode, skip):
        assert_refused_or_read(read, data)


def assert_refused_or_read(read: Callable[[bytes, int], int | tuple[object, int]], data: bytes) -> None:
    try:
        result = read(data, 0)
    except DecodeError:
        return
    end = result[1] if isinstance(result, tuple) else result
    assert 0 < end <= len(data)


@pytest.mark.parametrize(
    "data",
    [
        b"\xd0\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\xf0\x00\x00\x00\x05\xff\xff\xff\xff\x40",
        b"\xc0\x02\x05\x40",
        b"\xc1\x02\x01\x40",
        b"\x00\x53\x01" * 40_000,
        b"\x00" * 100_000,
        b"\xd0\x00\x00\xff\xff\x00\x00\x00\x01" * 500,
        b"\xa1\x02\xff\xff",
    ],
)
def test_sizes_that_lie_and_values_nested_without_end_are_refused(data: bytes) -> None:
    with pytest.raises(DecodeError):
        decode(data)


def test_a_symbol_is_text_of_its_own_type() -> None:
    value, _ = decode(encode.symbol("amqp:accepted"))
    assert value == "amqp:accepted"
    assert isinstance(value, Symbol)


def test_the_entries_of_a_map_keep_their_bytes() -> None:
    key, other = encode.symbol("x-opt-a"), encode.symbol("x-opt-b")
    token = encode.uuid(uuid.UUID(int=1))
    raw = encode.mapping([(key, token), (other, encode.NULL)])
    assert list(map_entries(raw, 0)) == [("x-opt-a", key + token), ("x-opt-b", other + encode.NULL)]
