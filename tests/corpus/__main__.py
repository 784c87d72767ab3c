"""Runs corpora of programs with known outcomes through ``jsworker grade --local`` and compares.

A corpus is a file of JSON Lines: ``{"job": …, "expect": …, "source": {"variant": …}}``. Each program is
graded: what is known of its output is its one case.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.corpus.bare import run_bare
from tests.corpus.expectation import case, differences

BATCH = "corpus"


@dataclass(frozen=True)
class Program:
    """A job of a corpus, with a case; ``variant`` says how it was come by."""

    corpus: str
    variant: str
    job: dict[str, Any]
    expect: dict[str, Any]


def main() -> int:
    """Compare all, print a table and each difference; 1 when there is any."""
    arguments = _arguments()
    programs = [program for file in _files(arguments) for program in read(file)]
    seconds, results = grade(programs, arguments.max_sessions)
    found = {
        program.job["id"]: differences(program.expect, results.get(program.job["id"])) for program in programs
    }
    _table(programs, found)
    _matrix(programs, results)
    _say(f"\n{len(programs)} programs through grade --local in {seconds:.1f} s")
    if arguments.bare:
        bare = asyncio.run(run_bare([program.job for program in programs]))
        _say(f"as bare node processes, two at a time, in {bare:.1f} s: ratio {seconds / bare:.2f}")
    return int(any(found.values()))


def read(file: Path) -> list[Program]:
    """The programs of a corpus."""
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    return [
        Program(file.stem, _variant(line), {**line["job"], "batch": BATCH, **_graded(line)}, line["expect"])
        for line in lines
    ]


def _variant(line: dict[str, Any]) -> str:
    variant: str = line.get("source", {}).get("variant") or "-"
    return variant


def _graded(line: dict[str, Any]) -> dict[str, Any]:
    """The case of a program; one without would be run and not graded."""
    return {} if line["job"].get("mode") == "cell" else {"cases": [case(line["expect"])]}


def grade(programs: list[Program], max_sessions: str | None) -> tuple[float, dict[str, dict[str, Any]]]:
    """Wall seconds, and results by id."""
    options = ["--max-sessions", max_sessions] if max_sessions else []
    with tempfile.TemporaryDirectory() as folder:
        manifest, out = Path(folder, "jobs.jsonl"), Path(folder, "results.jsonl")
        manifest.write_text("".join(json.dumps(program.job) + "\n" for program in programs))
        command = [sys.executable, "-m", "worker.cli", "grade", "--local", "--manifest", manifest]
        started = time.monotonic()
        asyncio.run(_call([*map(str, command), "--format", "jsonl", "--out", str(out), *options]))
        seconds = time.monotonic() - started
        results = [json.loads(line) for line in out.read_text().splitlines()]
    return seconds, {result["id"]: result for result in results}


def _table(programs: list[Program], found: dict[str, list[str]]) -> None:
    """Counts by corpus, then a line for each program that differs."""
    _say(f"{'corpus':<20} {'programs':>8} {'as expected':>11} {'different':>9}")
    for corpus in dict.fromkeys(program.corpus for program in programs):
        ids = [program.job["id"] for program in programs if program.corpus == corpus]
        different = sum(bool(found[job_id]) for job_id in ids)
        _say(f"{corpus:<20} {len(ids):>8} {len(ids) - different:>11} {different:>9}")
    for job_id, differing in found.items():
        if differing:
            _say(f"{job_id}: {'; '.join(differing)}")


def _matrix(programs: list[Program], results: dict[str, dict[str, Any]]) -> None:
    """How many of each kind of program got which verdict."""
    rows: dict[tuple[str, str], Counter[str]] = {}
    for program in programs:
        verdict = results.get(program.job["id"], {}).get("verdict") or "none"
        rows.setdefault((program.corpus, program.variant), Counter())[verdict] += 1
    verdicts = sorted(set().union(*rows.values()))
    _say(f"\n{'corpus':<20} {'variant':<50} {'  '.join(verdicts)}")
    for (corpus, variant), counts in rows.items():
        cells = "  ".join(f"{counts[verdict] or '':>{len(verdict)}}" for verdict in verdicts)
        _say(f"{corpus:<20} {variant:<50} {cells}".rstrip())


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")


async def _call(command: list[str]) -> None:
    process = await asyncio.create_subprocess_exec(*command)
    await process.wait()


def _files(arguments: argparse.Namespace) -> list[Path]:
    files = sorted(arguments.dir.glob("*.jsonl"))
    if arguments.bare:
        return [file for file in files if not file.stem.startswith("hostile")]
    return [file for file in files if arguments.danger or "danger" not in file.stem]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests.corpus", description=__doc__)
    parser.add_argument("dir", type=Path)
    parser.add_argument("--danger", action="store_true", help="also what may harm a machine without limits")
    parser.add_argument(
        "--bare",
        action="store_true",
        help="compare the time with that of bare node processes; leaves out hostile programs",
    )
    parser.add_argument("--max-sessions", help="as of grade")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
