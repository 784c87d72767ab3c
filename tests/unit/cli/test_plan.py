"""``plan`` calculates and connects to nothing."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from worker.cli import main


def plan(*arguments: str, **environ: str) -> Result:
    return CliRunner().invoke(main, ["plan", *arguments], env=environ)


def document(*arguments: str) -> Any:  # noqa: ANN401 - JSON
    result = plan(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_it_says_how_long_what_for_and_how_much() -> None:
    result = plan("--jobs", "3000", "--seconds", "2", "--sessions", "20")
    assert result.exit_code == 0
    for line in ("3,000 jobs of 2 s", "sessions       20 of 20", "replicas       2, 10 sessions each"):
        assert line in result.stdout
    for line in ("finish         13:22", "3,000 billed", "90.00 USD", "bounded by     the pool's sessions"):
        assert line in result.stdout
    assert [line.split()[0] for line in result.stdout.splitlines() if line.startswith("  ")][-2:] == [
        "fresh",
        "shared",
    ]


def test_the_pools_size_comes_from_the_workers_own_settings() -> None:
    result = plan(
        "--jobs", "10", "--seconds", "1", JSWORKER_MAX_SESSIONS="5", JSWORKER_SESSIONS_PER_WORKER="5"
    )
    assert "replicas       1, 5 sessions each" in result.stdout


def test_jobs_may_take_what_those_of_a_batch_took(tmp_path: Path) -> None:
    file = tmp_path / "hw1.jsonl"
    results: list[dict[str, Any]] = [
        {"timings": {"execute_ms": 1000}},
        {"timings": {"execute_ms": 9000.5}},
        {"timings": {"execute_ms": None}},
        {"status": "rejected"},
    ]
    file.write_text("".join(json.dumps(result) + "\n" for result in results))
    assert document("--like", str(file), "--sessions", "1")["jobs"] == 2
    assert document("--like", str(file), "--sessions", "1", "--jobs", "100")["jobs"] == 100


@pytest.mark.parametrize("line", ["", "{", "[]", '{"timings": {"execute_ms": "1"}}', "[" * 100_000])
def test_a_file_without_times_is_told_and_not_guessed_from(tmp_path: Path, line: str) -> None:
    file = tmp_path / "results.jsonl"
    file.write_text(line)
    result = plan("--like", str(file), "--sessions", "1")
    assert (result.exit_code, result.stdout) == (1, "")
    assert str(file) in result.stderr


def test_the_fewest_sessions_for_a_time_are_found_or_why_there_are_none() -> None:
    found = document("--jobs", "3000", "--seconds", "2", "--within", "600")
    assert (found["finish_seconds"] <= 600, found["sessions"]) == (True, 30)
    none = plan("--jobs", "3000", "--seconds", "2", "--within", "3")
    assert none.exit_code == 1
    assert "no pool is large enough for 0:03: with 600 sessions it takes" in none.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("--jobs 5 --sessions 1", "--seconds, or --like"),
        ("--seconds 5 --sessions 1", "--jobs is needed"),
        ("--jobs 5 --seconds 5", "--sessions is needed, or --within"),
        ("--jobs 5 --seconds 5 --sessions 1 --policy keyed", "--keys is needed"),
        ("--jobs 5 --seconds nan --sessions 1", "seconds"),
        ("--jobs 0 --seconds 1 --sessions 1", "jobs"),
    ],
)
def test_what_is_missing_or_wrong_is_said(arguments: str, said: str) -> None:
    result = plan(*arguments.split())
    assert result.exit_code == 2
    assert said in result.stderr
