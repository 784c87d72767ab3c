"""Uploads that Event Grid tells of become jobs by routes, in both of its schemas, and end in results."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from azure.servicebus import ServiceBusMessage

from tests.system.worker.processes import Worker, run, working
from tests.system.worker.services import Services, eventually
from tests.unit.events.samples import SAMPLES, cloud_event, sample

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

QUEUE = "events"
CLEAN = """
const { readFileSync } = require('fs');
const event = JSON.parse(readFileSync('event.json', 'utf8'));
const rows = readFileSync('in.csv', 'utf8').trim().split('\\n').length;
console.log(event.type, event.data.contentLength, rows, process.argv[2]);
"""
ROUTES = f"""
version: 1
jobs:
  clean:
    code: {{inline: {json.dumps(CLEAN)}}}
    files: [{{path: in.csv, blob: "${{blob}}"}}]
    args: ["${{name}}"]
routes:
  - name: clean
    match: {{type: Microsoft.Storage.BlobCreated, subject: "*/containers/inputs/blobs/*.csv"}}
    job: clean
    file: event.json
  - name: run-it
    match: {{type: Microsoft.Storage.BlobCreated, subject: "/containers/submissions/.*[.]js$/"}}
    job: {{code: {{blob: "${{blob}}"}}}}
    stdin: event
    queue: served
  - name: ask
    match: {{type: question, data: {{about: csv}}}}
    job: {{code: {{inline: "console.log('asked')"}}, args: ["${{event.data.none}}"]}}
"""


@pytest.fixture(scope="module")
def routes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("routes") / "routes.yaml"
    path.write_text(ROUTES)
    return path


@pytest.fixture(scope="module")
def router(services: Services, routes: Path) -> Iterator[Worker]:
    settings = {"JSWORKER_QUEUE": QUEUE, "JSWORKER_ROUTES": str(routes), "JSWORKER_MAX_SESSIONS": "1"}
    with working(services.environment | settings, routes.with_name("worker.log")) as worker:
        yield worker


def send(services: Services, document: object, name: str, **fields: Any) -> None:  # noqa: ANN401 - the SDK's own
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    services.send_messages(QUEUE, [ServiceBusMessage(body, message_id=name, **fields)])


@pytest.mark.usefixtures("router")
@pytest.mark.parametrize("schema", SAMPLES)
def test_event_grids_own_sample_runs_through_routes_to_results(
    services: Services, served: str, batch: str, schema: str
) -> None:
    del served
    table = services.upload(f"inputs/{batch}/new-file.csv", b"a,b\n1,2\n")
    code = "console.log(JSON.parse(require('fs').readFileSync(0)).subject)"
    program = services.upload(f"submissions/{batch}/new-file.js", code.encode())
    for blob in (table, program):
        (event,) = sample(schema, blob)
        event["id"] = f"{batch}-{blob.rpartition('.')[2]}"
        for twice in range(2):  # at least once, as Event Grid says
            send(services, [event], f"{event['id']}-{twice}", content_type="application/json")
    cleaned = _of_event(services, "clean", f"{batch}-csv")
    assert cleaned["stdout"]["text"] == f"Microsoft.Storage.BlobCreated 524288 2 {batch}/new-file.csv\n"
    assert cleaned["trigger"]["event"]["route"] == "clean"
    ran = _of_event(services, "run-it", f"{batch}-js")
    assert (
        ran["stdout"]["text"] == f"/blobServices/default/containers/submissions/blobs/{batch}/new-file.js\n"
    )
    assert (ran["status"], ran["trigger"]["depth"]) == ("succeeded", 1)


def _of_event(services: Services, batch: str, event: str) -> dict[str, Any]:
    """The result of the one job that an event became in a batch."""

    def found() -> list[dict[str, Any]]:
        results = [services.result(batch, job_id) or {} for job_id in services.etags(batch)]
        return [result for result in results if result["trigger"]["event"]["id"] == event]

    eventually(found)
    (result,) = found()
    return result


def test_an_event_in_binary_mode_whose_template_lacks_a_value_has_a_result_and_a_dead_letter(
    services: Services, router: Worker, batch: str
) -> None:
    event = cloud_event(id=batch, type="question", time=datetime.now(UTC), data=...)
    send(
        services,
        b'{"about": "csv"}',
        batch,
        content_type="application/json",
        application_properties={f"cloudEvents:{name}": value for name, value in event.items()},
    )
    refused = _of_event(services, "ask", batch)
    assert (refused["status"], refused["error"]["code"]) == ("rejected", "template_value_missing")
    (letter,) = eventually(lambda: [m for m in services.dead_letters(QUEUE) if m.message_id == batch])
    assert letter.dead_letter_reason == "template_value_missing"
    assert services.result("default", f"event-{letter.sequence_number}")
    assert router.is_running


def test_an_event_that_no_route_takes_is_told_in_the_log(
    services: Services, router: Worker, batch: str
) -> None:
    send(services, cloud_event(type=batch), batch, content_type="application/cloudevents+json")
    (told,) = eventually(lambda: [e for e in router.events("event_unmatched") if e["type"] == batch])
    assert told["source"] == "/orders"


def test_a_worker_does_not_start_with_routes_that_cannot_be_used(services: Services, tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text("version: 1\nroutes:\n  - name: a b\n    match: {type: '/(/'}\n")
    ended = run("run", settings=services.environment | {"JSWORKER_ROUTES": str(tmp_path / "r.yaml")})
    assert ended.returncode == 2
    lines = [line for line in ended.stderr.splitlines() if "JSWORKER_ROUTES" in line]
    places = [line.partition("r.yaml:")[2].partition(": ")[0] for line in lines]
    assert places == ["3:5", "3:5", "4:13"]
