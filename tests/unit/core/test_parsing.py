"""What comes in a message is untrusted: whatever it is, it is a job or a ``JobRejected`` that says why."""

import json
import time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from worker.faults import JobRejected
from worker.job import Job, identity, parse_job
from worker.names import check_blob

MINIMAL: dict[str, Any] = {"version": 1, "id": "j1", "code": {"inline": "1"}}
BASE = json.dumps(MINIMAL).encode()
UNREADABLE = {
    "empty": b"",
    "not JSON": b"{",
    "text": b"hello",
    "UTF-16": json.dumps(MINIMAL).encode("utf-16"),
    "BOM": b"\xef\xbb\xbf" + BASE,
    "not UTF-8": b'{"id": "\xff"}',
    "deep lists": b"[" * 100_000,
    "deep objects": b'{"a":' * 100_000,
    "NaN": BASE[:-1] + b', "metadata": {"x": NaN}}',
    "Infinity": BASE[:-1] + b', "metadata": {"x": -Infinity}}',
    "5000 digits": BASE[:-1] + b', "metadata": {"x": ' + b"9" * 5000 + b"}}",
    "a number too large for a float": BASE[:-1] + b', "metadata": {"x": 1e999}}',
    "duplicate keys": BASE[:-1] + b', "id": "j2"}',
    "duplicate keys further down": BASE[:-1] + b', "metadata": {"x": {"y": 1, "y": 2}}}',
    "metadata nested too deeply": BASE[:-1] + b', "metadata": {"x": ' + b"[" * 300 + b"]" * 300 + b"}}",
}


def rejection(body: bytes) -> JobRejected:
    with pytest.raises(JobRejected) as caught:
        parse_job(body)
    return caught.value


def rejected_field(**fields: object) -> str | None:
    found = rejection(json.dumps(MINIMAL | fields).encode())
    assert found.code == "invalid_job"
    return found.field


def test_the_smallest_job_has_only_version_id_and_code() -> None:
    parsed = parse_job(BASE)
    assert (parsed.batch, parsed.mode, parsed.files, parsed.stdin) == ("default", "program", (), None)


@pytest.mark.parametrize("body", UNREADABLE.values(), ids=UNREADABLE)
def test_what_is_not_strict_json_is_rejected_as_such(body: bytes) -> None:
    assert rejection(body).code == "invalid_json"


@pytest.mark.parametrize("document", [None, 1, "text", [], [MINIMAL], True])
def test_a_document_that_is_no_object_is_no_job(document: object) -> None:
    assert rejection(json.dumps(document).encode()).code == "invalid_job"


@pytest.mark.parametrize("version", [0, 2, "1", 1.0, True, None, "x" * 1000])
def test_an_unknown_version_is_refused_with_its_reason(version: object) -> None:
    found = rejection(json.dumps(MINIMAL | {"version": version}).encode())
    assert (found.code, found.field) == ("unsupported_version", "version")
    assert len(found.message) < 100


@pytest.mark.parametrize("missing", ["id", "code"])
def test_a_missing_field_is_named(missing: str) -> None:
    document = {key: value for key, value in MINIMAL.items() if key != missing}
    assert rejection(json.dumps(document).encode()).field == missing


@pytest.mark.parametrize(
    ("fields", "at_fault"),
    [
        ({"extra": 1}, "extra"),
        ({"id": "../x"}, "id"),
        ({"id": "a..b"}, "id"),
        ({"id": "j1\n"}, "id"),
        ({"id": ""}, "id"),
        ({"id": "x" * 129}, "id"),
        ({"id": 1}, "id"),
        ({"batch": "_batch"}, "batch"),
        ({"code": "1"}, "code"),
        ({"code": {"blob": "submissions/a.js", "inline": "1"}}, "code.inline"),
        ({"code": {"blob": "submissions/a.js", "sha256": "ABC"}}, "code.sha256"),
        ({"code": {"blob": "submissions/../x"}}, "code.blob"),
        ({"files": [{"path": "../a", "inline": ""}]}, "files.0.path"),
        ({"files": [{"path": "/etc/passwd", "inline": ""}]}, "files.0.path"),
        ({"files": [{"path": "a", "blob": "x"}]}, "files.0.blob"),
        ({"args": ["a\0"]}, "args.0"),
        ({"args": "a"}, "args"),
        ({"env": {"A=B": "1"}}, "env.A=B"),
        ({"limits": {"timeout_seconds": -1}}, "limits.timeout_seconds"),
        ({"limits": {"timeout_seconds": 0}}, "limits.timeout_seconds"),
        ({"limits": {"timeout_seconds": "10"}}, "limits.timeout_seconds"),
        ({"limits": {"memory_mb": 1.5}}, "limits.memory_mb"),
        ({"cases": [{"name": "", "stdin": "1"}]}, "cases.0.name"),
        ({"cases": [{"name": "a", "stdin": {"blob": "b"}}]}, "cases.0.stdin.blob"),
        ({"collect": ["a/./b"]}, "collect.0"),
        ({"session": {"policy": "mine"}}, "session.policy"),
        ({"mode": "shell"}, "mode"),
    ],
    ids=str,
)
def test_the_field_at_fault_is_named(fields: dict[str, object], at_fault: str) -> None:
    found = rejected_field(**fields)
    assert found is not None
    assert found.startswith(at_fault)


@pytest.mark.parametrize(
    "blob",
    [
        "submissions",
        "submissions/",
        "/a.js",
        "submissions/../other/s",
        "submissions/a/../../other/s",
        "submissions/..",
        "submissions/.",
        "submissions/./x",
        "submissions//x",
        "submissions/a/",
        "submissions/a.",
        "submissions/a./b",
        "submissions/a\\b",
        "submissions/a\r\nb",
        "submissions/a\0",
        "submissions/a\u202eb",
        "submissions/" + "x" * 1025,
        "submissions/" + "/".join("x" * 255),
        "Submissions/a",
        "$web/a",
        "su/a",
        "a--b/x",
        "https://evil.example/a.js",
        "submissions\n/a",
    ],
)
def test_a_blob_name_that_could_mean_another_blob_is_refused(blob: str) -> None:
    with pytest.raises(ValueError, match=r"must|too long"):
        check_blob(blob)


@pytest.mark.parametrize(
    "blob", ["submissions/a.js", "in-puts/%2e%2e/x", "abc/a b?#ü/x", "abc/" + "x" * 1024]
)
def test_an_ordinary_blob_name_is_taken(blob: str) -> None:
    assert check_blob(blob) == blob


def test_a_lone_surrogate_becomes_a_replacement_character_wherever_it_stands() -> None:
    body = BASE[:-1] + rb', "stdin": "a\ud800b", "metadata": {"\udfff": ["\uD83D\uDE00", "\uDE00"]}}'
    parsed = parse_job(body)
    assert parsed.stdin == "a\ufffdb"
    assert parsed.metadata == {"\ufffd": ["😀", "\ufffd"]}
    assert parsed.model_dump_json()


def test_a_body_of_very_many_keys_is_refused_without_delay() -> None:
    keys = ", ".join(f'"k{number}": 0' for number in range(30_000))
    body = f'{{{keys}, "k29999": 1}}'.encode()
    began = time.process_time()
    assert "'k29999'" in rejection(body).message
    assert time.process_time() - began < 1


def test_the_identity_of_an_invalid_job_is_used_only_if_it_can_name_a_blob() -> None:
    assert identity({"id": "j1", "batch": "b"}) == ("j1", "b")
    for name in ("j1\n", "a/b", "..", "", 1, None, "a" * 129, "-"):
        assert identity({"id": name, "batch": name}) == (None, None)
    assert identity([1]) == (None, None)


few = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
PATHS = st.text() | st.sampled_from(["submissions/a.js", "../a", "a\0", "\ud800", "submissions/a/../b"])
DOCUMENTS = st.fixed_dictionaries(
    {"version": st.just(1), "id": st.just("j1") | PATHS, "code": st.just({"inline": "1"}) | JSON},
    optional={
        "batch": PATHS,
        "files": st.lists(st.fixed_dictionaries({"path": PATHS, "blob": PATHS}), max_size=3) | JSON,
        "stdin": PATHS | JSON,
        "args": st.lists(PATHS, max_size=3) | JSON,
        "env": st.dictionaries(PATHS, PATHS, max_size=3) | JSON,
        "limits": JSON,
        "cases": st.lists(st.fixed_dictionaries({"name": PATHS, "stdin": JSON}), max_size=3) | JSON,
        "metadata": st.dictionaries(st.text(), JSON, max_size=3),
        "session": JSON,
    },
)


def job_or_rejection(body: bytes) -> Job | None:
    reasons = []
    try:
        return parse_job(body)
    except JobRejected as rejected:
        reasons.append(rejected.code)
    assert set(reasons) <= {"invalid_json", "invalid_job", "unsupported_version"}
    return None


@few
@given(st.binary())
def test_any_bytes_are_a_job_or_rejected(body: bytes) -> None:
    assert job_or_rejection(body) is None


@few
@given(JSON)
def test_any_json_is_a_job_or_rejected(document: object) -> None:
    assert job_or_rejection(json.dumps(document).encode()) is None


@few
@given(DOCUMENTS)
def test_anything_like_a_job_is_one_that_can_be_written_again_or_rejected(document: object) -> None:
    parsed = job_or_rejection(json.dumps(document).encode())
    if parsed:
        assert parse_job(parsed.model_dump_json().encode()) == parsed
