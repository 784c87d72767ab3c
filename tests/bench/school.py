"""A class of students: results as the worker writes them, of any number of submissions, always the same."""

from __future__ import annotations

import random
from typing import Any

from worker.differing import in_lines

_FIRST = "Ada Alan Barbara Chiara Dennis Edsger Fatima Grace Hedy Ines Jürgen Katherine Linus Maryam Niklaus"
_LAST = "Álvarez Brandt Chen Dubois Eriksen Fischer García Haddad Ivanova Jansen Kowalska Lindqvist Moreau"
_CASES = ("adds two numbers", "negative numbers", "an empty line", "a very long list", "decimals", "order")
_ENDS = ["accepted"] * 15 + ["wrong_answer"] * 4 + ["runtime_error", "time_limit"]
_STATUS = {"runtime_error": "failed", "time_limit": "timed_out"}
_TRACE = """/box/main.js:12
    return items[0].length + items[1].length;
                                      ^

TypeError: Cannot read properties of undefined (reading 'length')
    at total (/box/main.js:12:39)
    at Object.<anonymous> (/box/main.js:31:13)
"""


def student(number: int) -> str:
    """A name."""
    first, last = _FIRST.split(), _LAST.split()
    round_of = number // (len(first) * len(last))
    name = f"{first[number % len(first)]} {last[number * 7 % len(last)]}"
    return f"{name} {round_of + 1}" if round_of else name


def result(number: int, cases: int) -> dict[str, Any]:
    """What came of a student's submission."""
    chance = random.Random(number)  # noqa: S311 - the same class each time
    skill = chance.triangular(0.2, 1.6, 1.1)
    document: dict[str, Any] = {
        "version": 1,
        "id": f"s{number:04}",
        "batch": "hw1",
        "attempts": 1,
        "worker": {"version": "1", "instance": "w1"},
        "started_at": "2026-03-02T09:00:00.000Z",
        "finished_at": f"2026-03-02T09:{number // 60 % 60:02}:{number % 60:02}.000Z",
        "metadata": {"student": student(number)},
    }
    if number % 41 == 17:
        error = {"code": "execution_lost", "message": "the session pool lost the execution three times"}
        return document | {"status": "infrastructure_failed", "error": error, "attempts": 3}
    if number % 53 == 29:
        error = {"code": "invalid_submission", "message": "the archive has no main.js: name the entry point"}
        return document | {"status": "rejected", "error": error}
    tested = [_case(at, chance, skill) for at in range(cases)]
    return document | _outcome(tested)


def _outcome(cases: list[dict[str, Any]]) -> dict[str, Any]:
    points, of = sum(case["points"] for case in cases), sum(case["of"] for case in cases)
    worst = next((case["verdict"] for case in cases if case["verdict"] != "accepted"), "accepted")
    return {
        "status": _STATUS.get(worst, "succeeded"),
        "verdict": worst if worst == "accepted" or not points else "partial",
        "score": {"points": points, "of": of},
        "cases": cases,
        "timings": {"execute_ms": sum(case["duration_ms"] for case in cases)},
    }


def _case(at: int, chance: random.Random, skill: float) -> dict[str, Any]:
    name = _CASES[at % len(_CASES)] + (f", part {at // len(_CASES) + 1}" if at >= len(_CASES) else "")
    solved = skill >= 1 or chance.random() < skill * (1 - at % len(_CASES) / 12)
    verdict = "accepted" if solved else chance.choice(_ENDS[15:])
    of = 1 + at % 3
    case: dict[str, Any] = {
        "name": name,
        "verdict": verdict,
        "points": of if solved else 0,
        "of": of,
        "exit_code": 1 if verdict == "runtime_error" else 0,
        "duration_ms": 2000.0 if verdict == "time_limit" else chance.uniform(28, 90),
        "hidden": at % 5 == 4,
        "stdout": _stream(f"sum {at * 37}\nitems {at}\n"),
    }
    if verdict == "wrong_answer":
        case |= _wrong(at, chance)
    elif verdict == "runtime_error":
        case["stderr"] = _stream(_TRACE)
    return case


def _wrong(at: int, chance: random.Random) -> dict[str, Any]:
    lines = [f"item {index}: {index * at + 3}" for index in range(12)]
    wrong = list(lines)
    wrong[chance.randrange(6)] += chance.choice([".0", "0", " EUR"])
    expected, actual = "\n".join(lines), "\n".join(wrong)
    return {"diff": in_lines(expected, actual), "stdout": _stream(actual)}


def _stream(text: str) -> dict[str, Any]:
    return {"text": text, "bytes": len(text), "truncated": False, "blob": None}
