"""What is wrong with a file of routes is told at once, by line; an event becomes the same jobs each time."""

from __future__ import annotations

import json
import re
import textwrap
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.events.samples import SAMPLES, cloud_event, sample
from worker.events import Event, events_in
from worker.faults import JobRejected
from worker.fitting import MAX_MESSAGE_BYTES
from worker.job import parse_job
from worker.planning import Made, Plan, plan
from worker.routes_file import InvalidRoutes, parse_routes

UPLOADS = """
version: 1
jobs:
  clean: {code: {blob: submissions/clean.js}, files: [{path: in.csv, blob: "${blob}"}]}
routes:
  - name: clean-csv
    match: {type: Microsoft.Storage.BlobCreated, subject: "*/containers/test-container/blobs/*.txt"}
    job: clean
    file: event.json
  - name: run-it
    match: {subject: "/blobs/.*[.]txt$/"}
    job:
      {batch: "by-${container}", code: {blob: "${blob}"}, args: ["${name}"],
       env: {SIZE: "${to_string(event.data.contentLength)}"}}
    stdin: event
    queue: urgent
"""


def events_of(document: object) -> tuple[Event, ...]:
    return events_in(document, 1)


def planned(text: str, document: object, max_depth: int = 16) -> Plan:
    return plan(parse_routes(textwrap.dedent(text).encode()), events_of(document), max_depth)


def made(found: Plan, index: int = 0) -> dict[str, Any]:
    outcome = found.jobs[index].outcome
    assert isinstance(outcome, Made), outcome
    parse_job(outcome.body)
    document: dict[str, Any] = json.loads(outcome.body)
    return document


def route(match: str = 'type: "*"', job: str = "{code: {inline: ''}}", more: str = "") -> str:
    return f"version: 1\nroutes:\n  - name: r\n    match: {{{match}}}\n    job: {job}\n    {more}\n"


def matched(match: str, **fields: object) -> bool:
    return bool(planned(route(match), cloud_event(**fields)).jobs)


@pytest.mark.parametrize("schema", SAMPLES)
def test_an_upload_becomes_the_code_of_one_job_and_the_input_of_another(schema: str) -> None:
    found = planned(UPLOADS, sample(schema))
    cleaning, running = made(found, 0), made(found, 1)
    assert cleaning["files"][0] == {"path": "in.csv", "blob": "test-container/new-file.txt"}
    assert cleaning["files"][1]["path"] == "event.json"
    assert json.loads(cleaning["files"][1]["inline"])["type"] == "Microsoft.Storage.BlobCreated"
    assert running["code"] == {"blob": "test-container/new-file.txt"}
    assert (running["args"], running["env"]) == (["new-file.txt"], {"SIZE": "524288"})
    assert json.loads(running["stdin"]) == json.loads(cleaning["files"][1]["inline"])
    assert [job.route.queue for job in found.jobs] == [None, "urgent"]
    assert [job["batch"] for job in (cleaning, running)] == ["clean-csv", "by-test-container"]
    told = {"id": sample(schema)[0]["id"], "type": "Microsoft.Storage.BlobCreated", "route": "clean-csv"}
    assert cleaning["trigger"]["depth"] == 1
    assert cleaning["trigger"]["event"].items() >= told.items()


def test_the_same_event_makes_the_same_ids_and_another_makes_others() -> None:
    ids = [job.id for job in planned(UPLOADS, sample("CloudEvents") + sample("Event Grid")).jobs]
    assert ids == [job.id for job in planned(UPLOADS, sample("Event Grid")).jobs]
    assert [re.sub("[0-9a-f]{20}$", "#", job_id) for job_id in ids] == ["clean-csv-#", "run-it-#"]
    other = [event | {"source": "/elsewhere"} for event in sample("CloudEvents")]
    assert not {job.id for job in planned(UPLOADS, other).jobs} & set(ids)


@pytest.mark.parametrize(
    ("match", "is_match"),
    [
        ("type: order.*", True),
        ("type: Order.*", False),
        ("type: order", False),
        ("type: '/^order[.]/'", True),
        ("type: '/^rder/'", False),
        ("source: /orders", True),
        ("source: '?orders', type: '[no]rder.*'", True),
        ("subject: '*'", False),
        ("data: {sum: 7}", True),
        ("data: {sum: [6, 7]}", True),
        ("data: {sum: '7'}", False),
        ("data: {sum: true}", False),
        ("data: {'sum > `5`': true}", True),
        ("data: {missing: null}", True),
        ("data: {'length(missing)': 1}", False),
        ("type: order.*, data: {sum: 8}", False),
    ],
)
def test_a_route_takes_what_has_all_it_asks_for(match: str, *, is_match: bool) -> None:
    assert matched(match) is is_match


def test_data_that_is_true_is_no_number() -> None:
    assert matched("data: {ok: true}", data={"ok": True})
    assert not matched("data: {ok: true}", data={"ok": 1})
    assert not matched("data: {ok: 1}", data={"ok": True})


def test_an_event_that_no_route_takes_is_told_apart() -> None:
    found = planned(UPLOADS, [cloud_event(), *sample("CloudEvents")])
    assert [event.id for event in found.unmatched] == ["e1"]
    assert len(found.jobs) == 2


FILES_OF_A_NUMBER = "{code: {inline: ''}, files: '${event.data.sum}'}"


def refusal(text: str, max_depth: int = 16, **fields: object) -> tuple[str, str | None]:
    (job,) = planned(text, cloud_event(**fields), max_depth).jobs
    assert isinstance(job.outcome, JobRejected)
    return job.outcome.code, job.outcome.field


@pytest.mark.parametrize(
    ("text", "code", "field"),
    [
        (route(job="{code: {blob: '${blob}'}}"), "template_value_missing", "code.blob"),
        (route(job="{code: {inline: ''}, args: ['${event.data.none}']}"), "template_value_missing", "args.0"),
        (route(job="{code: {inline: ''}, batch: '${event.data.none}'}"), "template_value_missing", "batch"),
        (route(job="{code: {inline: ''}, args: '${event.data.sum}'}"), "invalid_job", "args"),
        (route(job=FILES_OF_A_NUMBER, more="file: e.json"), "invalid_job", "files"),
        (route(job="{code: {blob: 'x/../${event.id}'}}"), "invalid_job", "code.blob"),
        (route(job="{code: {inline: ''}, batch: 'b${event.data.long}'}"), "invalid_job", "batch"),
        (route(job="{code: {inline: '${event.data.big}'}}"), "limit_exceeded", None),
        (route("source: '/(a+)+$/'"), "route_undecided", "match.source"),
    ],
)  # fmt: skip
def test_a_job_that_cannot_be_made_has_the_id_it_would_have_had_and_the_field_at_fault(
    text: str, code: str, field: str | None
) -> None:
    data = {"sum": 7, "long": "x" * 100, "big": "x" * MAX_MESSAGE_BYTES}
    source = "a" * 60 + "b" if "a+" in text else "/orders"
    assert refusal(text, data=data, source=source) == (code, field)


def test_a_chain_that_would_not_end_is_refused_where_it_is_too_deep() -> None:
    assert refusal(route(), 3, jsworkerdepth=3) == ("chain_too_deep", "trigger.depth")
    assert refusal(route(), 3, jsworkerdepth=1 << 30) == ("chain_too_deep", "trigger.depth")
    assert made(planned(route(), cloud_event(jsworkerdepth=2), 3))["trigger"]["depth"] == 3


def test_an_event_that_fits_no_message_goes_to_a_blob() -> None:
    event = cloud_event(data="é" * MAX_MESSAGE_BYTES)
    (job,) = planned(route(more="file: event.json\n    stdin: event"), event).jobs
    assert isinstance(job.outcome, Made)
    blob = f"inputs/r/{job.id}/event.json"
    document = json.loads(job.outcome.body)
    assert document["files"] == [{"path": "event.json", "blob": blob}]
    assert document["stdin"] == {"blob": blob}
    assert job.outcome.event_blob == blob
    assert json.loads(job.outcome.event_data) == event


MISTAKES = """\
version: 1
jobs:
  typo: {code: {inline: ""}, colour: "${event.id}"}
  bad: {code: {inline: "${event.data[}"}}
  unknown: {code: {inline: "${evnt.id}", path: "${sort_by(event.data, &x)[0]}"}}
  wrong: {code: {blob: nowhere}, limits: {timeout_seconds: -1, memory_mb: "${event.data.mb}"}, id: x}
  none: {args: ["${blob}"]}
routes:
  - {name: a, match: {type: "/(/"}, job: typo}
  - {name: a, match: {type: x, data: {"a[": 1}}, job: missing}
  - {name: b, match: {}, job: bad, stdin: event}
  - {name: c, match: {type: x}, stdin: event, file: e,
     job: {stdin: "", code: {inline: ""}, files: [{path: e, inline: ""}]}}
"""


def told(text: str) -> list[str]:
    with pytest.raises(InvalidRoutes) as caught:
        parse_routes(text.encode())
    return caught.value.told("r")


def test_all_mistakes_of_a_file_are_told_by_line() -> None:
    assert [line.split(" ")[0] for line in told(MISTAKES)] == ["r:9:23:"]  # what it is made of comes first
    assert [line.split(": ", 1)[1] for line in told(MISTAKES.replace('"/(/"', "x"))] == [
        "jobs.typo.colour: there is no such field",
        "jobs.bad.code.inline: event.data[: Invalid jmespath expression: Incomplete expression",
        "jobs.unknown.code.inline: there is no value 'evnt'; there are event, blob, container, name",
        "jobs.wrong.code.blob: must be 'container/name'",
        "jobs.wrong.limits.timeout_seconds: Input should be greater than 0",
        "jobs.wrong.id: the event gives the job its id",
        "jobs.none.code: Field required",
        "routes[0].name: there are 2 routes of this name",
        "routes[1].name: there are 2 routes of this name",
        "routes[1].match.data.a[: Invalid jmespath expression: Incomplete expression",
        "routes[1].job: there is no 'missing' in jobs",
        "routes[2].match: asks for nothing; a route for all events has 'type: \"*\"'",
        "routes[3].stdin: the job has a stdin of its own",
        "routes[3].file: the job has a file at this path",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the file is empty"),
        ("[]", "a file of routes is an object"),
        ("version: 1", "routes: Field required"),
        ("version: 2\nroutes: []", "Input should be 1"),
        ("version: 1\nroutes: []", "r:2:1: routes: there is none"),
        (route(more="queue: ''"), "queue: String should match"),
        (route(more="file: ../x"), "must be relative"),
        (route("colour: red"), "there is no such field"),
        (route("data: {a: {b: 1}}"), "is a value, or a list of them"),
        (route(job="7"), "is a job, or the name of one"),
        (route("type: '/(/'"), "match.type"),
        (route().replace("name: r", "name: 'a b'"), "name: String should match"),
        (route().replace("name: r", "name: a."), "name: String should match"),
        ("{", "r:1:1: this is no YAML"),
    ],
)
def test_a_file_of_another_shape_is_refused_in_words(text: str, said: str) -> None:
    assert any(said in line for line in told(text)), told(text)


@given(st.text(max_size=40))
def test_whatever_a_file_says_it_is_taken_or_refused(text: str) -> None:
    for whole in (text, route(job=text), route(match=text)):
        with suppress(InvalidRoutes):
            assert parse_routes(whole.encode("utf-8", "replace")).routes
