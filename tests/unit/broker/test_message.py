"""Messages taken apart and put together again, read by the SDK's own decoder."""

import math
from typing import Any

import pytest
from azure.servicebus._pyamqp._decode import decode_payload
from azure.servicebus._pyamqp._encode import encode_payload
from azure.servicebus._pyamqp.message import Header, Properties
from azure.servicebus._pyamqp.message import Message as SdkMessage
from hypothesis import given
from hypothesis import strategies as st

from worker.local.broker import encode
from worker.local.broker.codec import DecodeError
from worker.local.broker.message import parse, render, split_batch
from worker.local.broker.values import DeadLetter, Message


def sent(**sections: Any) -> bytes:  # noqa: ANN401 - the SDK's own sections
    output = bytearray()
    encode_payload(output, SdkMessage(**sections))
    return bytes(output)


def delivered(data: bytes, message: Message, ttl: float = math.inf) -> Any:  # noqa: ANN401 - a type of the SDK
    return decode_payload(memoryview(render(message, parse(data).content(ttl))))


def test_the_bare_message_is_delivered_byte_by_byte() -> None:
    bare = sent(
        properties=Properties(message_id="m", subject="s"),
        application_properties={"a": 1, "b": [True, "x"]},
        data=[b"one", b"two"],
        footer={"f": 2},
    )
    message = Message(key=3, sequence_number=5, enqueued_at=1.5, delivery_count=2)
    incoming = parse(sent(header=Header(durable=True, priority=7)) + bare)
    assert incoming.bare == bare
    assert incoming.message_id == encode.string("m")
    assert render(message, incoming.content(math.inf)).endswith(bare)


def test_header_and_annotations_tell_of_the_delivery() -> None:
    data = sent(
        header=Header(priority=7, ttl=5000),
        message_annotations={"x-opt-mine": 1, "x-opt-sequence-number": 99},
        data=[b""],
    )
    message = Message(
        key=3, sequence_number=5, enqueued_at=1.5, delivery_count=2, token=bytes(16), locked_until=60.25
    )
    got = delivered(data, message, ttl=5)
    assert (got.header.priority, got.header.ttl, got.header.delivery_count) == (7, 5000, 2)
    assert (got.header.durable, got.header.first_acquirer) == (True, False)
    assert got.message_annotations == {
        b"x-opt-mine": 1,
        b"x-opt-enqueued-time": 1500,
        b"x-opt-sequence-number": 5,
        b"x-opt-enqueue-sequence-number": 3,
        b"x-opt-message-state": 0,
        b"x-opt-locked-until": 60250,
    }


@pytest.mark.parametrize("properties", [None, {}, {"kept": "x", "DeadLetterReason": "old"}])
def test_a_dead_message_says_why_in_its_application_properties(properties: dict[str, str] | None) -> None:
    data = sent(properties=Properties(message_id="m"), application_properties=properties, data=[b"body"])
    why = DeadLetter("reason", "description")
    got = delivered(data, Message(key=1, sequence_number=1, enqueued_at=0, dead_letter=why))
    kept = {b"kept": b"x"} if properties else {}
    told = {b"DeadLetterReason": b"reason", b"DeadLetterErrorDescription": b"description"}
    assert got.application_properties == kept | told
    assert (got.properties.message_id, got.data) == (b"m", [b"body"])


def test_times_and_ttl_of_the_sender_are_read() -> None:
    annotations = {"x-opt-scheduled-enqueue-time": {"TYPE": "TIMESTAMP", "VALUE": 1_700_000_000_500}}
    incoming = parse(sent(header=Header(ttl=1500), message_annotations=annotations, data=[b""]))
    assert (incoming.ttl, incoming.scheduled_at) == (1.5, 1_700_000_000.5)
    assert parse(sent(data=[b""])).ttl is None


def test_a_batch_is_split_into_the_messages_it_carries() -> None:
    messages = [sent(data=[text]) for text in (b"a", b"b")]
    assert split_batch(sent(data=messages)) == messages


@pytest.mark.parametrize(
    "data",
    [
        b"body",
        b"\x00\x53\x01\x40",
        b"\x00\xa3\x01x\x40",
        b"\x00\x53\x73\xa1\x01x",
        b"\x00\x53\x74\xc0\x01\x00",
        b"\x00\x53\x72\x40",
        b"\x00\x80\x00\x00\x00\x00\x00\x00\x00\x75\xa0\x00",
        b"\x00",
    ],
)
def test_what_is_no_message_is_refused(data: bytes) -> None:
    with pytest.raises(DecodeError):
        parse(data)


@given(st.binary(max_size=60))
def test_any_bytes_are_a_message_or_refused(data: bytes) -> None:
    dead = Message(key=1, sequence_number=1, enqueued_at=0, dead_letter=DeadLetter("r", None))
    try:
        incoming = parse(data)
    except DecodeError:
        return
    assert parse(render(dead, incoming.content(math.inf)))
