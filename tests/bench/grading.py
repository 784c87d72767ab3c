"""Grading a class, from the folder to the results, against the same processes as bare ``node``."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from tests.bench.figures import Row, Target
from tests.bench.parts import LOCAL_STACK, jsworker
from tests.bench.processes import BenchError
from tests.corpus.bare import run_bare

if TYPE_CHECKING:
    from pathlib import Path

CASES = 10
_PROGRAM = """const [a, b] = require("fs").readFileSync(0, "utf8").split(" ").map(Number);
console.log(a + b); // by student {student}
"""


async def measure_grading(folder: Path, submissions: int) -> Row:
    """Each submission has ten cases, a process each; bare, as many processes run two at a time."""
    programs = {f"s{number:04}": _PROGRAM.format(student=number) for number in range(submissions)}
    begin = time.monotonic()
    await jsworker(folder, *_command(folder, programs))
    seconds = time.monotonic() - begin
    _check(folder / "results.jsonl", submissions)
    jobs = [
        {"code": {"inline": code}, "stdin": _stdin(case)}
        for code in programs.values()
        for case in range(CASES)
    ]
    bare = await run_bare(jobs)
    figures = {"seconds": seconds, "bare_seconds": bare, "processes": len(jobs)}
    target = Target("times the bare processes", seconds / bare, 1.5)
    return Row(f"grading: {submissions} submissions of {CASES} cases", LOCAL_STACK, figures, (target,))


def _command(folder: Path, programs: dict[str, str]) -> list[str]:
    place = folder / "submissions"
    place.mkdir()
    for name, code in programs.items():
        (place / f"{name}.js").write_text(code)
    cases = [
        {"name": f"case {case}", "stdin": _stdin(case), "expect": {"stdout": f"{case + 7}\n"}}
        for case in range(CASES)
    ]
    (folder / "cases.json").write_text(json.dumps({"version": 1, "cases": cases}))
    options = {"cases": folder / "cases.json", "state": folder / "state", "out": folder / "results.jsonl"}
    given = [text for name, path in options.items() for text in (f"--{name}", str(path))]
    return ["grade", "--local", "--strict", str(place), *given, "--format", "jsonl"]


def _stdin(case: int) -> str:
    return f"{case} 7"


def _check(results: Path, submissions: int) -> None:
    scores = [json.loads(line)["score"]["points"] for line in results.read_text().splitlines()]
    if scores != [CASES] * submissions:
        raise BenchError(f"not all of {submissions} submissions reached {CASES} points")
