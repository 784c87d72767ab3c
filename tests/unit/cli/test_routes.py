"""``jsworker routes check`` tells what is wrong, and what would become of an event."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from click.testing import CliRunner, Result

from tests.unit.events.samples import SAMPLES, cloud_event, sample
from worker.cli import main
from worker.routes_file import parse_routes

MANUAL = Path(__file__).parents[3] / "docs" / "routes.md"
ROUTES = """
version: 1
routes:
  - name: upload
    match: {type: Microsoft.Storage.BlobCreated}
    job: {code: {blob: "${blob}"}}
  - {name: order, match: {type: order.*, data: {sum: [6, 7]}}, job: {code: {inline: ""}, args: ["${blob}"]}}
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "routes.yaml"
    path.write_text(ROUTES)
    return path


def check(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["routes", "check", *map(str, arguments)])


def checked_event(path: Path, event: object, *options: str) -> Result:
    (path.parent / "event.json").write_text(json.dumps(event))
    return check(path, "--event", path.parent / "event.json", *options)


def test_routes_are_listed(path: Path) -> None:
    found = check(path)
    assert found.exit_code == 0
    assert found.output.splitlines() == [
        f"{path}: 2 routes; an event that none takes is completed, and told in the log",
        "  upload: type Microsoft.Storage.BlobCreated",
        "  order: type order.*, data sum = [6, 7]",
    ]
    listed = json.loads(check(path, "--json").output)
    assert [route["name"] for route in listed["routes"]] == ["upload", "order"]


def test_mistakes_are_told_by_line_with_status_1(path: Path) -> None:
    path.write_text(ROUTES.replace("${blob}", "${bulb}"))
    found = check(path)
    assert found.exit_code == 1
    assert f"{path}:6:18: routes[0].job.code.blob: there is no value 'bulb'" in found.stderr
    assert f"{path}:7:" in found.stderr


@pytest.mark.parametrize("schema", SAMPLES)
def test_the_job_of_an_upload_is_shown(path: Path, schema: str) -> None:
    found = check(path, "--event", SAMPLES[schema], "--json")
    assert found.exit_code == 0
    (job,) = json.loads(found.output)["jobs"]
    assert (job["route"], job["job"]["code"]) == ("upload", {"blob": "test-container/new-file.txt"})
    shown = check(path, "--event", SAMPLES[schema])
    assert f"route upload: upload/{job['id']}" in shown.output


def test_a_job_that_cannot_be_made_is_told_with_status_1(path: Path) -> None:
    found = checked_event(path, cloud_event())
    assert found.exit_code == 1
    assert "is rejected: template_value_missing: args.0: there is no value for ${blob}" in found.output
    (job,) = json.loads(checked_event(path, cloud_event(), "--json").output)["jobs"]
    assert job["error"]["field"] == "args.0"


def test_an_event_that_no_route_takes_is_told(path: Path) -> None:
    found = checked_event(path, cloud_event(type="x"))
    assert (found.exit_code, found.output.splitlines()[1]) == (
        0,
        "no route takes e1: it is completed, and told in the log",
    )
    path.write_text(ROUTES + "unmatched: dead_letter\n")
    assert checked_event(path, cloud_event(type="x")).exit_code == 1


@pytest.mark.parametrize(
    ("event", "said"),
    [
        ({"version": 1}, "this is no event"),
        (cloud_event(specversion="3.0"), "unsupported_event: specversion: CloudEvents of version 1.x"),
        ("{", "this is no event"),
    ],
)
def test_a_file_that_is_no_event_is_refused(path: Path, event: object, said: str) -> None:
    found = checked_event(path, event)
    assert found.exit_code == 1
    assert said in found.stderr


def test_an_event_about_a_result_is_refused(path: Path) -> None:
    found = checked_event(path, sample("CloudEvents", "results/b/j1/result.json"))
    assert (found.exit_code, "are results" in found.stderr) == (1, True)


def test_names_from_events_cannot_write_to_the_terminal(path: Path) -> None:
    path.write_text(ROUTES.replace("type: order.*", "type: '*'"))
    assert "\x1b" not in checked_event(path, cloud_event(data={"sum": 7}, extra="\x1b[31m")).output


@pytest.fixture
def schema() -> dict[str, Any]:
    schema: dict[str, Any] = json.loads(CliRunner().invoke(main, ["schema", "routes"]).output)
    jsonschema.Draft202012Validator.check_schema(schema)
    return schema


def test_each_example_of_the_manual_is_what_the_schema_and_the_reader_take(schema: dict[str, Any]) -> None:
    examples = re.findall(r"```yaml\n(.*?)```", MANUAL.read_text(), re.DOTALL)
    assert examples
    for text in examples:
        jsonschema.validate(yaml.safe_load(text), schema)
        assert parse_routes(text.encode()).routes
