"""Messages that nobody should send: each ends in a result that says what is wrong, and in a dead letter."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from azure.servicebus import ServiceBusMessage, ServiceBusReceivedMessage
from azure.servicebus.amqp import AmqpAnnotatedMessage

from tests.system.worker.services import Services, eventually, program

OK = {"inline": "console.log(1)"}


@dataclass(frozen=True)
class Bad:
    """A body, and what is to be said of it."""

    body: bytes
    code: str
    field: str | None = None


def bad_job(code: str, field: str | None, /, **fields: Any) -> Bad:  # noqa: ANN401 - anything at all
    return Bad(json.dumps({"version": 1, "code": OK} | fields).encode(), code, field)


def nested(depth: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(depth):
        value = {"a": value}
    return value


def without_a_name() -> dict[str, Bad]:
    """What has no usable id: its result is named after the message."""
    invalid, not_json = ("invalid_job", None), ("invalid_json", None)
    return {
        "empty": Bad(b"", *not_json),
        "no JSON": Bad(b"console.log(1)", *not_json),
        "null": Bad(b"null", *invalid),
        "a list": Bad(b"[1]", *invalid),
        "a number": Bad(b"7", *invalid),
        "a string": Bad(b'"job"', *invalid),
        "nested too deep for JSON": Bad(b"[" * 100_000, *not_json),
        "nested too deep for a result": bad_job("invalid_json", None, metadata=nested(300)),
        "an endless integer": Bad(b'{"version": 1, "id": %s}' % (b"9" * 5000), *not_json),
        "NaN": Bad(b'{"version": NaN}', *not_json),
        "a key twice": Bad(b'{"version": 1, "id": "a", "id": "b"}', *not_json),
        "UTF-16": Bad('{"version": 1}'.encode("utf-16"), *not_json),
        "no id": bad_job("invalid_job", "id"),
        "an id of another type": bad_job("invalid_job", "id", id=7),
        "an id that climbs": bad_job("invalid_job", "id", id="a..b"),
        "an id with a line end": bad_job("invalid_job", "id", id="a\n"),
    }


def with_a_name(services: Services, batch: str) -> dict[str, Bad]:
    """What has a usable id."""
    large = services.upload(f"inputs/{batch}/cases.json", b" " * (10 << 20))
    program_blob = services.upload(f"submissions/{batch}/large.js", b"/" * (9 << 20))
    changed = services.upload(f"submissions/{batch}/changed.js", b"1")
    limits = [("timeout_seconds", 1e9), ("memory_mb", 1 << 20), ("output_bytes", 1 << 40)]
    wrong_types = {"args": "x", "stdin": 7, "env": [], "files": {}, "limits": {"timeout_seconds": "10"}}
    blobs = {
        "climbing": "submissions/../results/x",
        "climbing-deep": "submissions/a/../../results/x",
        "a-dot": "submissions/./x",
        "empty-segment": "submissions//x",
        "backslash": "submissions/a\\b",
        "control": "submissions/a\nb",
        "no-name": "submissions",
        "url": "https://example.com/x",
        "too-long": "submissions/" + "x" * 1025,
    }
    return {
        "version": bad_job("unsupported_version", "version", version=2),
        "unknown-field": bad_job("invalid_job", "colour", colour="red"),
        "no-code": Bad(b'{"version": 1}', "invalid_job", "code"),
        "wrong-value": bad_job("invalid_job", "env.a", env=nested(2)),
        "missing": bad_job("code_not_found", "code.blob", code={"blob": f"submissions/{batch}/missing.js"}),
        "digest": bad_job("digest_mismatch", "code.sha256", code={"blob": changed, "sha256": "0" * 64}),
        "etag": bad_job("etag_mismatch", "code.etag", code={"blob": changed, "etag": '"0x1"'}),
        "foreign": bad_job("container_not_allowed", "code.blob", code={"blob": "results/x"}),
        "foreign-file": bad_job(
            "container_not_allowed", "files.0.blob", files=[{"path": "x", "blob": "results/x"}]
        ),
        "path": bad_job("invalid_job", "files.0.path", files=[{"path": "../x", "inline": ""}]),
        "cases": bad_job("limit_exceeded", "cases.blob", cases={"blob": large}),
        "large-code": bad_job("limit_exceeded", "code.blob", code={"blob": program_blob}),
        "no-key": bad_job("invalid_job", "session.key", session={"policy": "keyed"}),
        **{f"limit-{name}": bad_job("limit_exceeded", f"limits.{name}", limits={name: value})
           for name, value in limits},
        **{f"negative-{name}": bad_job("invalid_job", f"limits.{name}", limits={name: -1})
           for name, _ in limits},
        **{f"type-{name}": bad_job("invalid_job", "limits.timeout_seconds" if name == "limits" else name,
                                   **{name: value})
           for name, value in wrong_types.items()},
        **{f"blob-{name}": bad_job("invalid_job", "code.blob", code={"blob": blob})
           for name, blob in blobs.items()},
    }  # fmt: skip


def named(bad: Bad, batch: str, job_id: str) -> bytes:
    return json.dumps(json.loads(bad.body) | {"id": job_id, "batch": batch}).encode()


def test_each_bad_message_has_a_result_and_a_dead_letter_that_say_why(
    services: Services, served: str, batch: str
) -> None:
    nameless, bad = without_a_name(), with_a_name(services, batch)
    bodies = {name: case.body for name, case in nameless.items()}
    bodies |= {name: named(case, batch, name) for name, case in bad.items()}
    services.send_messages(
        served, [ServiceBusMessage(body, message_id=f"{batch}/{name}") for name, body in bodies.items()]
    )
    good = services.send(served, [program(batch, "good", "console.log('served')")])
    letters = eventually(lambda: _letters(services, served, batch, bodies.keys()))
    results = services.results(batch, [*bad, *good])
    assert results.pop("good")["stdout"]["text"] == "served\n"
    for name in nameless:
        job_id = f"message-{letters[name].sequence_number}"
        results[name] = services.results("default", [job_id])[job_id]
    wanted = {name: ("rejected", case.code, case.field) for name, case in (nameless | bad).items()}
    assert {name: _said(result) for name, result in results.items()} == wanted
    reasons = {name: letter.dead_letter_reason for name, letter in letters.items()}
    assert reasons == {name: case.code for name, case in (nameless | bad).items()}
    assert all(letter.dead_letter_error_description for letter in letters.values())


def test_a_message_that_carries_an_amqp_value_is_no_job(services: Services, served: str) -> None:
    services.send_messages(served, [AmqpAnnotatedMessage(value_body={"version": 1})])
    letters = eventually(lambda: [m for m in services.dead_letters(served) if _is_amqp_value(m)])
    results = services.results("default", [f"message-{letters[0].sequence_number}"])
    assert [_said(result) for result in results.values()] == [("rejected", "invalid_json", None)]


def _is_amqp_value(letter: ServiceBusReceivedMessage) -> bool:
    return "AMQP value" in str(letter.dead_letter_error_description)


def _letters(
    services: Services, queue: str, batch: str, names: Iterable[str]
) -> dict[str, ServiceBusReceivedMessage]:
    """The dead letters of all these, or nothing while any is missing."""
    letters = {
        str(letter.message_id).partition("/")[2]: letter
        for letter in services.dead_letters(queue)
        if str(letter.message_id).startswith(batch)
    }
    return letters if letters.keys() >= set(names) else {}


def _said(result: dict[str, Any]) -> tuple[str, str, str | None]:
    return result["status"], result["error"]["code"], result["error"]["field"]
