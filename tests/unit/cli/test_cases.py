from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from click.testing import CliRunner

from worker.cases_source import read_cases
from worker.cli import main

MANUAL = Path(__file__).parents[3] / "docs" / "writing-cases.md"
EXAMPLES = re.findall(r"```yaml\n(.*?)```", MANUAL.read_text(), re.DOTALL)


@pytest.fixture
def schema() -> dict[str, Any]:
    schema: dict[str, Any] = json.loads(CliRunner().invoke(main, ["schema", "cases"]).output)
    jsonschema.Draft202012Validator.check_schema(schema)
    return schema


@pytest.mark.parametrize("text", EXAMPLES)
def test_each_example_of_the_manual_is_what_the_schema_and_the_reader_take(
    schema: dict[str, Any], text: str, tmp_path: Path
) -> None:
    document = yaml.safe_load(text)
    jsonschema.validate(document, schema)
    (tmp_path / "cases.yaml").write_text(text)
    for name in re.findall(r"file: ([^,}\s]+)", text):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("1")
    if "pairs" in text:
        for name in ("1", "2", "10"):
            (tmp_path / f"{name}.in").write_text("1")
            (tmp_path / f"{name}.out").write_text("1")
    cases = read_cases(tmp_path if "pairs" in text else tmp_path / "cases.yaml", 1 << 20)
    assert cases.document["version"] == 1


@pytest.mark.parametrize(
    "case",
    [
        {},
        {"name": "a", "point": 1},
        {"name": "a", "points": -1},
        {"name": "a", "compare": "nearly"},
        {"name": "a", "stdin": 12},
        {"name": "a", "stdin": {"file": ""}},
        {"name": "a", "expect": {"stdout": {"blob": "inputs/a"}}},
        {"name": "a", "files": [{"file": "a"}]},
    ],
)
def test_the_schema_of_cases_refuses_what_the_reader_refuses(
    schema: dict[str, Any], case: dict[str, Any], tmp_path: Path
) -> None:
    document = {"version": 1, "cases": [case]}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, schema)
    (tmp_path / "cases.json").write_text(json.dumps(document))
    answer = CliRunner().invoke(main, ["cases", "check", str(tmp_path / "cases.json")])
    assert answer.exit_code == 1
    assert "cases.json:1:" in answer.output


def test_without_programs_the_cases_are_shown_and_nothing_is_run(tmp_path: Path) -> None:
    (tmp_path / "cases.yaml").write_text(
        'version: 1\ncases:\n  - {name: "a\\e[31m", expect: {stdout: "2"}, points: 2.5}\n  - name: b\n'
    )
    answer = CliRunner().invoke(main, ["cases", "check", str(tmp_path / "cases.yaml"), "--local"])
    assert answer.exit_code == 0
    title, _, first, second = answer.output.splitlines()
    assert title.endswith("cases.yaml: 2 cases, 3.5 points")
    assert first.split() == ["a\\x1b[31m", "trimmed", "2.5"]
    assert second.split() == ["b", "1"]
    assert not (tmp_path / ".jsworker").exists()


def test_cases_that_cannot_be_used_are_told_line_by_line(tmp_path: Path) -> None:
    (tmp_path / "cases.yaml").write_text("version: 1\ncases:\n  - name: a\n    points: -1\n    stdin: yes\n")
    answer = CliRunner().invoke(main, ["cases", "check", str(tmp_path / "cases.yaml")])
    assert answer.exit_code == 1
    assert "cases.yaml:5:12: cases[0].stdin: yes is text to some" in answer.output


def test_what_cases_are_called_is_shown_and_not_acted_upon(tmp_path: Path) -> None:
    (tmp_path / "cases.json").write_text('{"version": 1, "cases": [{"name": "a", "\\u001b[31m": 1}]}')
    answer = CliRunner().invoke(main, ["cases", "check", str(tmp_path / "cases.json")], color=True)
    assert "cases[0].\\x1b[31m: there is no such field" in answer.output


def test_the_bound_on_cases_is_that_of_the_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cases.yaml").write_text("version: 1\ncases: [{name: a}]\n")
    monkeypatch.setenv("JSWORKER_MAX_CASES_BYTES", "10")
    answer = CliRunner().invoke(main, ["cases", "check", str(tmp_path / "cases.yaml")])
    assert answer.exit_code == 1
    assert "too large" in answer.output
    monkeypatch.setenv("JSWORKER_MAX_CASES_BYTES", "ten")
    assert CliRunner().invoke(main, ["cases", "check", str(tmp_path / "cases.yaml")]).exit_code == 2


@pytest.mark.parametrize(
    "arguments", [["check"], ["check", "absent.yaml"], ["check", ".", "--wrong", "absent.js"]]
)
def test_wrong_usage_exits_with_2(arguments: list[str]) -> None:
    assert CliRunner().invoke(main, ["cases", *arguments]).exit_code == 2
