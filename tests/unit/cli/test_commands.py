from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import jsonschema
import pytest
from click.testing import CliRunner

from worker.cli import main
from worker.result import Producer, Result
from worker.version import __version__

if TYPE_CHECKING:
    from pathlib import Path

COMMANDS = ["grade", "submit", "run", "watch", "results", "reconcile", "explain", "cancel"]
COMMANDS += ["cases", "cases check", "batches", "regrade", "diff", "promote", "retry"]
COMMANDS += ["schedule", "schedule check", "schedule run", "schedule sync", "schedule backfill"]
COMMANDS += ["schedule trigger", "schedule list"]
COMMANDS += ["local up", "local down", "local env", "schema"]
HEAVY = {"azure", "aiohttp", "httpx", "pydantic", "rich"}


@pytest.fixture
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("SERVICEBUS_NAMESPACE", "SERVICEBUS_CONNECTION_STRING", "STORAGE_ACCOUNT_URL"):
        monkeypatch.delenv(f"JSWORKER_{name}", raising=False)
    monkeypatch.chdir(tmp_path)


class Interrupted:
    """Finds a module by an import during which the user presses Ctrl-C."""

    def find_spec(self, name: str, *_: object) -> None:
        if name == "worker.cli.plan":
            raise KeyboardInterrupt


def test_ctrl_c_while_a_command_is_imported_is_an_interruption(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "worker.cli.plan", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Interrupted(), *sys.meta_path])
    answer = CliRunner().invoke(main, ["plan", "--jobs", "1"])
    assert (answer.exit_code, answer.output) == (130, "")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_examples(command: str) -> None:
    answer = CliRunner().invoke(main, [*command.split(), "--help"])
    assert answer.exit_code == 0
    assert f"  jsworker {command}" in answer.output.partition("Examples:")[2].replace('eval "$(', "")


def test_the_help_lists_all_commands() -> None:
    answer = CliRunner().invoke(main, ["--help"])
    assert all(f"  {command.split()[0]} " in answer.output for command in COMMANDS)


def test_an_unknown_command_is_wrong_usage() -> None:
    assert CliRunner().invoke(main, ["grad"]).exit_code == 2


def test_the_version_is_printed_without_loading_what_it_does_not_need() -> None:
    code = "import sys, worker.cli; worker.cli.main(['version'], standalone_mode=False); print(*sys.modules)"
    command = [sys.executable, "-c", code]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - ours
    version, modules = answer.stdout.splitlines()
    assert version == f"jsworker {__version__}"
    assert not HEAVY & set(modules.split())


def test_the_schema_of_results_accepts_a_result() -> None:
    schema = json.loads(CliRunner().invoke(main, ["schema", "result"]).output)
    now = "2026-01-01T00:00:00.000Z"
    result = Result.model_validate(
        {
            "id": "a",
            "batch": "b",
            "status": "succeeded",
            "worker": Producer(version="1", instance="i"),
            "started_at": now,
            "finished_at": now,
        }
    )
    jsonschema.validate(json.loads(result.model_dump_json()), schema)


def test_the_schema_of_jobs_wants_code_and_refuses_what_it_does_not_know() -> None:
    schema = json.loads(CliRunner().invoke(main, ["schema", "job"]).output)
    job = {"version": 1, "id": "a", "code": {"inline": "1"}, "stdin": "2"}
    jsonschema.validate(job, schema)
    for wrong in ({"version": 1, "id": "a"}, {**job, "oops": 1}, {**job, "id": "../a"}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, schema)


@pytest.mark.parametrize(
    "arguments",
    [
        ["submit"],
        ["submit", "."],
        ["submit", ".", "--batch", ".."],
        ["grade", "--local"],
        ["grade", "absent.js"],
        ["watch"],
        ["results", "a", "--format", "xml"],
        ["reconcile"],
        ["explain", "a/b/c"],
        ["explain", "a/b", "--batch", "c"],
        ["cancel"],
        ["cancel", "a", "--job", "b"],
        ["results", "a", "--generation", "0"],
        ["regrade"],
        ["regrade", "a", "--only", "changed"],
        ["regrade", "a", "--only", "failed,s1"],
        ["regrade", "a", "--only", "s1,"],
        ["regrade", "a", "--repeat", "1"],
        ["regrade", "a", "--strict"],
        ["regrade", "a", "--cases", "absent.json"],
        ["diff"],
        ["diff", "a", "0"],
        ["promote", "a"],
        ["promote", "a", "2", "--undo"],
        ["retry"],
        ["batches", "--format", "csv"],
        ["grade", ".", "--repeat", "1"],
        ["local", "up", "--max-sessions", "0"],
    ],
)
@pytest.mark.usefixtures("clean_environment")
def test_wrong_usage_exits_with_2(arguments: list[str]) -> None:
    assert CliRunner().invoke(main, arguments).exit_code == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ["run"],
        ["watch", "a"],
        ["results", "a"],
        ["submit", ".", "--batch", "a"],
        ["reconcile", "a"],
        ["explain", "a"],
        ["cancel", "a"],
        ["batches"],
        ["regrade", "a"],
        ["diff", "a"],
        ["promote", "a", "2"],
        ["retry", "a"],
    ],
)
@pytest.mark.usefixtures("clean_environment")
def test_settings_that_are_missing_are_all_named_and_exit_with_2(arguments: list[str]) -> None:
    answer = CliRunner().invoke(main, arguments)
    assert answer.exit_code == 2
    assert "JSWORKER_SERVICEBUS_NAMESPACE" in answer.output
    assert "JSWORKER_STORAGE_ACCOUNT_URL" in answer.output


@pytest.mark.usefixtures("clean_environment")
def test_a_manifest_with_a_line_that_is_no_job_stops_before_anything_runs(tmp_path: Path) -> None:
    (tmp_path / "jobs.jsonl").write_text('{"version": 1, "id": "a", "code": {"inline": "1"}}\n{"id"\n')
    answer = CliRunner().invoke(main, ["grade", "--local", "--manifest", "jobs.jsonl"])
    assert answer.exit_code == 1
    assert "line 2" in answer.output
    assert not (tmp_path / ".jsworker").exists()


@pytest.mark.usefixtures("clean_environment")
def test_without_a_local_stack_its_settings_cannot_be_printed() -> None:
    answer = CliRunner().invoke(main, ["local", "env"])
    assert answer.exit_code == 1
    assert "jsworker local up" in answer.output
