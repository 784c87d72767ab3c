"""Events are recognised in either schema and either mode; what cannot be used is refused with its field."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.events.samples import SAMPLES, cloud_event, grid_event, sample
from worker.envelope import Envelope, document_of
from worker.events import MOST_BYTES, MOST_CHARACTERS, MOST_EVENTS, Event, events_in, is_event
from worker.faults import JobRejected
from worker.job import job_of

BINARY = {"specversion": "1.0", "id": "e1", "source": "/orders", "type": "order.placed"}


def read(document: object, envelope: Envelope | None = None) -> tuple[Event, ...]:
    body = json.dumps(document).encode()
    found = document_of(body, envelope or Envelope())
    assert is_event(found)
    return events_in(found, len(body))


def refused(document: object, envelope: Envelope | None = None) -> tuple[str, str | None]:
    with pytest.raises(JobRejected) as caught:
        read(document, envelope)
    return caught.value.code, caught.value.field


@pytest.mark.parametrize("schema", SAMPLES)
def test_the_documented_sample_names_its_blob_by_the_subject_and_not_by_the_url(schema: str) -> None:
    (event,) = read(sample(schema))
    assert event.blob == "test-container/new-file.txt"  # the URL has "testcontainer"
    assert event.type == "Microsoft.Storage.BlobCreated"
    assert event.source.endswith("/storageAccounts/my-storage-account")
    assert event.data["contentLength"] == 524288
    assert event.document["specversion"] == "1.0"
    assert event.document["time"] == "2017-06-26T18:41:00.9584103Z"


def test_both_schemas_make_the_same_event() -> None:
    (first,), (second,) = read(sample("CloudEvents")), read(sample("Event Grid"))
    assert first == second


@pytest.mark.parametrize(
    "subject",
    [
        "/blobServices/default/containers/inputs/blobs/../results/x",
        "/blobServices/default/containers/$logs/blobs/x",
        "/blobServices/default/containers/inputs/blobs/",
        "/blobServices/default/containers/inputs",
        "/blobServices/default/containers/inputs/blobs/a//b",
        "",
    ],
)
def test_a_blob_that_no_job_may_name_is_none(subject: str) -> None:
    (event,) = read(cloud_event(type="Microsoft.Storage.BlobCreated", subject=subject or ...))
    assert event.blob is None


def test_the_subject_of_another_events_type_is_no_blob() -> None:
    subject = "/blobServices/default/containers/inputs/blobs/x"
    assert read(cloud_event(subject=subject))[0].blob is None


@pytest.mark.parametrize("prefix_less", ["blobServices/default/containers/inputs/blobs/a/b c.csv"])
def test_a_subject_may_lack_its_first_slash(prefix_less: str) -> None:
    (event,) = read(cloud_event(type="Microsoft.Storage.BlobCreated", subject=prefix_less))
    assert event.blob == "inputs/a/b c.csv"


def test_an_event_in_binary_mode_is_what_it_would_be_in_structured_mode() -> None:
    times: dict[str, object] = {"time": 1767323045000, "jsworkerdepth": "3", "tenant": b"north"}
    envelope = Envelope("application/json; charset=utf-8", BINARY | times)
    (event,) = read({"sum": 7}, envelope)
    assert (event.id, event.data, event.depth) == ("e1", {"sum": 7}, 3)
    assert event.time == "2026-01-02T03:04:05Z"
    assert event.document["tenant"] == "north"
    assert event.document["datacontenttype"] == "application/json; charset=utf-8"


@pytest.mark.parametrize(
    ("body", "kind", "data"),
    [
        (b"", "application/json", {}),
        (b"a,b", "text/csv", {"data": "a,b"}),
        (b"a,b", None, {"data": "a,b"}),
        (b"[1]", None, {"data": [1]}),
        (b"\xff", "image/png", {"data_base64": "/w=="}),
        (b'{"a": 1}', "application/vnd.x+json", {"data": {"a": 1}}),
    ],
)
def test_data_in_binary_mode_is_json_text_or_bytes(body: bytes, kind: str | None, data: object) -> None:
    document = document_of(body, Envelope(kind, BINARY))
    assert {
        name: value for name, value in document.items() if name.startswith("data_") or name == "data"
    } == data
    assert len(events_in(document, len(body))) == 1


@pytest.mark.parametrize(
    ("body", "envelope", "code", "field"),
    [
        (b"{", Envelope("application/json", BINARY), "invalid_event", "data"),
        (b"{", Envelope("application/cloudevents+avro"), "unsupported_event", None),
        (b"{", Envelope("application/cloudevents+json"), "invalid_json", None),
        (None, Envelope(None, BINARY), "invalid_json", None),
        (b"1", Envelope(None, BINARY | {"Bad_Name": "x"}), "invalid_event", "cloudEvents:Bad_Name"),
        (b"1", Envelope(None, BINARY | {"data": "x"}), "invalid_event", "cloudEvents:data"),
    ],
)
def test_a_message_that_is_no_event_by_its_own_word_is_refused(
    body: bytes | None, envelope: Envelope, code: str, field: str | None
) -> None:
    with pytest.raises(JobRejected) as caught:
        document_of(body, envelope)
    assert (caught.value.code, caught.value.field) == (code, field)


@pytest.mark.parametrize(
    ("document", "code", "field"),
    [
        (cloud_event(specversion="0.3"), "unsupported_event", "specversion"),
        (cloud_event(specversion="2.0"), "unsupported_event", "specversion"),
        (cloud_event(specversion=1.0), "unsupported_event", "specversion"),
        (cloud_event(specversion=...), "invalid_event", "specversion"),
        ({"cloudEventsVersion": "0.1", "eventType": "x"}, "unsupported_event", "specversion"),
        ({"cloudEventsVersion": "0.1"}, "unsupported_event", "specversion"),
        (cloud_event(id=...), "invalid_event", "id"),
        (cloud_event(id=""), "invalid_event", "id"),
        (cloud_event(id=7), "invalid_event", "id"),
        (cloud_event(source=None), "invalid_event", "source"),
        (cloud_event(type=["x"]), "invalid_event", "type"),
        (cloud_event(type="a\nb"), "invalid_event", "type"),
        (cloud_event(subject={}), "invalid_event", "subject"),
        (cloud_event(source="x" * (MOST_CHARACTERS + 1)), "invalid_event", "source"),
        (cloud_event(time="yesterday"), "invalid_event", "time"),
        (cloud_event(data_base64="AA=="), "invalid_event", "data_base64"),
        (cloud_event(data=..., data_base64="?"), "invalid_event", "data_base64"),
        (cloud_event(data=..., data_base64=7), "invalid_event", "data_base64"),
        (cloud_event(nested={"a": 1}), "invalid_event", "nested"),
        (cloud_event(jsworkerdepth=-1), "invalid_event", "jsworkerdepth"),
        (cloud_event(jsworkerdepth=True), "invalid_event", "jsworkerdepth"),
        (cloud_event(jsworkerdepth="many"), "invalid_event", "jsworkerdepth"),
        (cloud_event(jsworkerdepth=1 << 40), "invalid_event", "jsworkerdepth"),
        (grid_event(eventTime=...), "invalid_event", "eventTime"),
        (grid_event(subject=...), "invalid_event", "subject"),
        (grid_event(topic=7), "invalid_event", "topic"),
        (grid_event(eventType=""), "invalid_event", "eventType"),
        ([cloud_event(), {"version": 1, "id": "j1"}], "invalid_event", "1"),
        ([cloud_event(), 7], "invalid_event", "1"),
        ([cloud_event(), grid_event(id=...)], "invalid_event", "1.id"),
        ([[cloud_event()]], "invalid_event", "0"),
        ([cloud_event(id=str(n)) for n in range(MOST_EVENTS + 1)], "invalid_event", None),
    ],
    ids=lambda value: str(value)[:40],
)
def test_an_event_that_cannot_be_used_is_refused_with_the_field_at_fault(
    document: object, code: str, field: str | None
) -> None:
    assert refused(document) == (code, field)


def test_a_message_of_more_than_a_megabyte_of_events_is_refused() -> None:
    assert refused(cloud_event(data="x" * MOST_BYTES)) == ("invalid_event", None)


@pytest.mark.parametrize(
    "document",
    [
        {"version": 1, "id": "j1", "code": {"inline": ""}},
        {"version": 1, "id": "j1", "code": {"inline": ""}, "source": "x", "type": "y"},
        {},
        [],
        [1],
        [[]],
        None,
        "specversion",
    ],
)
def test_what_is_no_event_stays_a_job(document: object) -> None:
    assert not is_event(document)


def test_the_id_of_an_event_is_not_that_of_a_job() -> None:
    body = json.dumps(cloud_event(id="looks-like-a-job", batch="b")).encode()
    assert job_of(body, 7) == ("event-7", "default")
    binary = Envelope(None, BINARY)
    assert job_of(b'{"version": 1, "id": "j1"}', 7, binary) == ("event-7", "default")


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
NAMES = st.sampled_from(
    [*cloud_event(), *grid_event(), "subject", "time", "topic", "jsworkerdepth", "traceparent"]
)


@given(fields=st.dictionaries(NAMES, JSON, max_size=6), listed=st.booleans())
def test_whatever_comes_is_an_event_or_is_refused(fields: dict[str, Any], *, listed: bool) -> None:
    document = cloud_event(**fields)
    with suppress(JobRejected):
        events = events_in([document] if listed else document, 1)
        assert all(event.id and event.type and json.dumps(event.document) for event in events)


@given(
    body=st.binary(max_size=30),
    attributes=st.dictionaries(st.text(max_size=8), st.binary(max_size=8) | st.integers()),
)
def test_whatever_comes_in_binary_mode_is_an_event_or_is_refused(
    body: bytes, attributes: dict[str, object]
) -> None:
    with suppress(JobRejected):
        document = document_of(body, Envelope("text/plain", BINARY | attributes))
        assert json.dumps(events_in(document, len(body))[0].document)
