"""How submissions lie is said on the command line; what is wrong with it ends the command before it sends."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from worker.cli import main

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A class of three, in a working folder of its own, with settings that reach nothing."""
    key = "Endpoint=sb://localhost;SharedAccessKeyName=a;SharedAccessKey=b;UseDevelopmentEmulator=true"
    monkeypatch.setenv("JSWORKER_SERVICEBUS_CONNECTION_STRING", key)
    monkeypatch.setenv("JSWORKER_STORAGE_CONNECTION_STRING", "UseDevelopmentStorage=true")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "class").mkdir()
    for name in ("ada-1.js", "ada-2.js", "bob-1.js"):
        (tmp_path / "class" / name).write_text("1")
    return tmp_path / "class"


@pytest.fixture(params=[("submit", "--batch", "hw1"), ("grade", "--local")], ids=["submit", "grade"])
def command(request: pytest.FixtureRequest) -> list[str]:
    """Either command that takes submissions."""
    return list(request.param)


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--student", "hw1"], "once"),
        (["--student", "*{student}"], "between"),
        (["--entry", "app.ts"], "*.js"),
        (["--entry", "../app.js"], "'..'"),
        (["--each", "line"], "file"),
    ],
)
def test_options_that_cannot_be_meant_are_wrong_usage(
    folder: Path, command: list[str], options: list[str], reason: str
) -> None:
    answer = invoke(*command, folder, *options)
    assert answer.exit_code == 2
    assert reason in answer.output


@pytest.mark.usefixtures("folder")
def test_a_manifest_takes_none_of_them(tmp_path: Path, command: list[str]) -> None:
    (tmp_path / "jobs.jsonl").write_text('{"version": 1, "id": "a", "code": {"inline": "1"}}\n')
    answer = invoke(*command, "--manifest", "jobs.jsonl", "--each", "folder")
    assert answer.exit_code == 2
    assert "not for --manifest" in answer.output


def test_one_student_twice_ends_the_command_before_it_sends(folder: Path, command: list[str]) -> None:
    answer = invoke(*command, folder, "--student", "{student}-*")
    assert answer.exit_code == 1
    assert f"{folder}/ada-1.js and {folder}/ada-2.js would both be the job 'ada'" in answer.output
    assert "bob" not in answer.output


def test_names_that_do_not_fit_end_the_command_before_it_sends(folder: Path, command: list[str]) -> None:
    answer = invoke(*command, folder, "--student", "{student}_*", "--skip-invalid")
    assert answer.exit_code == 1
    assert f"{folder}/bob-1.js" in answer.output
