"""The commands as processes, on a local stack of their own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

SECONDS = 120
ROOT = Path(__file__).parents[3]
JOB = {"version": 1, "code": {"inline": "console.log(6 * 7)"}}

pytestmark = pytest.mark.timeout(2 * SECONDS)


class Shell:
    """Runs commands in a folder, with settings."""

    def __init__(self, folder: Path, settings: dict[str, str] | None = None) -> None:
        self.folder = folder
        clean = {name: value for name, value in os.environ.items() if not name.startswith("JSWORKER_")}
        self.environment = {**clean, "PYTHONPATH": str(ROOT), **(settings or {})}

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(  # noqa: S603 - ours
            [sys.executable, "-m", "worker.cli", *arguments],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str) -> tuple[int, str, str]:
        """Exit status, stdout and stderr."""
        with self.start(*arguments) as process:
            try:
                out, err = process.communicate(timeout=SECONDS)
            finally:
                process.kill()
        return process.returncode, out, err


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    folder = tmp_path_factory.mktemp("cli")
    shell = Shell(folder)
    status, _, err = shell.run("local", "up", "--max-sessions", "2")
    assert status == 0, err
    try:
        lines = shell.run("local", "env")[1].splitlines()
        yield Shell(folder, {name: value.strip("'") for name, _, value in (x.partition("=") for x in lines)})
    finally:
        assert shell.run("local", "down")[0] == 0


def manifest(folder: Path, name: str, *jobs: dict[str, Any]) -> str:
    file = folder / f"{name}.jsonl"
    file.write_text("".join(json.dumps({**JOB, **job}) + "\n" for job in jobs))
    return str(file)


def documents(out: str) -> dict[str, dict[str, Any]]:
    return {result["id"]: result for result in map(json.loads, out.splitlines())}


def test_programs_are_graded_on_a_stack_that_is_there_for_the_command_alone(tmp_path: Path) -> None:
    folder = tmp_path / "programs"
    folder.mkdir()
    (folder / "right.js").write_text("console.log(require('fs').readFileSync(0).length)")
    (folder / "wrong.cjs").write_text("process.exit(7)")
    (folder / "module.mjs").write_text("console.log(await Promise.resolve('top'))")
    shell = Shell(tmp_path)
    status, out, err = shell.run("grade", "--local", "--format", "jsonl", "--strict", str(folder))
    assert status == 3, err
    results = documents(out)
    assert list(results) == ["module", "right", "wrong"]
    assert [(result["status"], result["exit_code"]) for result in results.values()] == [
        ("succeeded", 0),
        ("succeeded", 0),
        ("failed", 7),
    ]
    assert results["module"]["stdout"]["text"] == "top\n"
    assert shell.run("local", "env")[0] == 1


def test_each_line_with_an_id_has_a_result_and_the_file_is_whole(shell: Shell) -> None:
    jobs = manifest(
        shell.folder,
        "mixed",
        {"id": "good"},
        {"id": "odd", "oops": 1},
        {"id": "newer", "version": 2},
        {"id": "absent", "code": {"blob": "submissions/absent.js"}},
        {"id": "large", "stdin": "x" * 300_000, "code": {"inline": "process.stdin.resume()"}},
    )
    out = shell.folder / "mixed.out"
    status, _, err = shell.run("grade", "--local", "--manifest", jobs, "--format", "jsonl", "--out", str(out))
    assert status == 0, err
    results = documents(out.read_text())
    ended = {
        job_id: (result.get("error") or {}).get("code", result["status"])
        for job_id, result in results.items()
    }
    assert ended == {
        "good": "succeeded",
        "odd": "invalid_job",
        "newer": "unsupported_version",
        "absent": "code_not_found",
        "large": "succeeded",
    }


def test_submit_run_watch_and_results_do_what_grade_does(shell: Shell) -> None:
    jobs = manifest(shell.folder, "steps", {"id": "a"}, {"id": "b"})
    assert shell.run("submit", "--manifest", jobs, "--batch", "steps")[0] == 0
    status, out, err = shell.run("results", "steps")
    assert status == 1
    assert "2 of 2 jobs have no result yet: a, b" in err
    assert (
        "0 jobs submitted (2 were before)" in shell.run("submit", "--manifest", jobs, "--batch", "steps")[2]
    )
    assert shell.run("run", "--drain")[0] == 0
    assert "2 of 2 done" in shell.run("watch", "steps", "--timeout", "30")[2]
    status, out, _ = shell.run("results", "steps")
    assert status == 0
    assert [line.split()[:2] for line in out.splitlines()[1:3]] == [["a", "succeeded"], ["b", "succeeded"]]
    assert [
        result["attempts"] for result in json.loads(shell.run("results", "steps", "--format", "json")[1])
    ] == [1, 1]


def test_a_job_cannot_be_changed_once_it_was_submitted(shell: Shell) -> None:
    first = manifest(shell.folder, "first", {"id": "a"})
    second = manifest(shell.folder, "second", {"id": "a", "stdin": "other"})
    assert shell.run("grade", "--local", "--manifest", first, "--batch", "fixed")[0] == 0
    status, _, err = shell.run("submit", "--manifest", second, "--batch", "fixed")
    assert status == 1
    assert "same id: a" in err


def test_interrupted_it_says_how_to_go_on_and_then_does(shell: Shell) -> None:
    slow = {"code": {"inline": "setTimeout(() => console.log('done'), 400)"}}
    jobs = manifest(shell.folder, "slow", *({"id": f"s{number}", **slow} for number in range(8)))
    command = ("grade", "--local", "--manifest", jobs, "--batch", "slow", "--format", "jsonl")
    with shell.start(*command) as process:
        assert process.stderr is not None
        assert "submitted" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=SECONDS)
    assert process.returncode == 130
    assert "--batch slow" in err
    status, out, err = shell.run(*command)
    assert status == 0
    assert "0 jobs submitted (8 were before)" in err
    assert {result["stdout"]["text"] for result in documents(out).values()} == {"done\n"}
    assert len(documents(out)) == 8


def test_a_batch_that_is_not_there_is_told(shell: Shell) -> None:
    status, _, err = shell.run("results", "absent")
    assert (status, err.count("\n")) == (1, 1)
    assert "no batch 'absent'" in err


def test_a_wrong_file_of_faults_is_refused_by_its_field(tmp_path: Path) -> None:
    (tmp_path / "faults.json").write_text('{"pool": {"full_rate": 2}}')
    status, _, err = Shell(tmp_path).run("local", "up", "--faults", "faults.json")
    assert status == 1
    assert "pool.full_rate: Input should be less than or equal to 1" in err


def test_cases_are_proved_by_programs_that_are_run_with_them(shell: Shell) -> None:
    folder = shell.folder / "tests"
    sum_of = "const [a, b] = require('fs').readFileSync(0, 'utf8').split(' ').map(Number); console.log({})"
    files = {
        "1.in": "1 2",
        "1.out": "3",
        "2.in": "50 60",
        "2.out": "110",
        "cases.yaml": "version: 1\nstop_at_first_failure: true\ncases: [{name: '2', hidden: true}]",
        "right/sum.js": sum_of.format("a + b"),
        "wrong/sum.js": sum_of.format("a - b"),
        "lazy.js": sum_of.format("a + b"),
        "wrong/small.js": sum_of.format("Math.min(a + b, 100)"),
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    check = ("cases", "check", "tests", "--local", "--solution", "tests/right")
    status, out, err = shell.run(*check, "--wrong", "tests/wrong", "--wrong", "tests/lazy.js")
    assert status == 3, err
    assert out.splitlines()[-5:] == [
        "right  sum: accepted in all 2",
        "wrong  small: caught by 1 of 2: 2",
        "wrong  sum: caught by 2 of 2: 1, 2",
        "wrong  lazy: NOT CAUGHT: passes all 2",
        "not proved: 1 wrong program not caught",
    ]
