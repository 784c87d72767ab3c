from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from worker.cases_source import read_cases
from worker.cli.cases import status_of
from worker.cli.cases_report import of_cases, of_proof
from worker.proving import Proof, Role, Tried, laid_open, trials
from worker.strict_json import parse_json

if TYPE_CHECKING:
    from pathlib import Path

YAML = """\
version: 1
stop_at_first_failure: true
cases:
  - {name: adds, points: 2, expect: {stdout: "3"}, limits: {timeout_seconds: 2, memory_mb: 64}}
  - {name: hides, hidden: true}
"""


def case(name: str, verdict: str = "accepted", **fields: object) -> dict[str, Any]:
    return {"name": name, "verdict": verdict, **fields}


def tried(name: str, role: Role, *cases: dict[str, Any], **fields: object) -> Tried:
    failed = [each["verdict"] for each in cases if each["verdict"] != "accepted"]
    verdict = failed[0] if failed else "accepted"
    return Tried(name, role, {"status": "succeeded", "verdict": verdict, "cases": cases, **fields})


def proof(*programs: Tried) -> Proof:
    return Proof(programs, {"adds": 2.0}, 10.0)


GOOD = tried("good", "right", case("adds", duration_ms=20.0), case("hides", duration_ms=6000.0))
BAD = tried("bad", "wrong", case("adds"), case("hides", "wrong_answer"))


def test_cases_are_proved_by_right_programs_that_pass_and_wrong_ones_that_do_not() -> None:
    found = proof(GOOD, BAD)
    assert status_of(found) == 0
    assert list(of_proof(found)) == [
        "right  good: accepted in all 2",
        "wrong  bad: caught by 1 of 2: hides",
        "these cases catch no wrong program: adds",
        "warning: hides takes good 6.00 of 10 seconds",
        "proved",
    ]


def test_a_right_program_that_fails_is_shown_with_the_beginning_of_why() -> None:
    diff = "\n".join(f"- {number}\x1b[31m" for number in range(20))
    program = tried("new", "right", case("adds", "wrong_answer", diff=diff), case("hides", "time_limit"))
    assert status_of(proof(program)) == 3
    shown = list(of_proof(proof(program)))
    assert shown[0] == "right  new: NOT ACCEPTED: fails 2 of 2"
    assert shown[1:3] == ["       adds: wrong_answer", "         - 0\\x1b[31m"]
    assert shown[8:] == ["       hides: time_limit", "not proved: 1 solution not accepted"]


def test_a_wrong_program_that_passes_is_not_caught() -> None:
    shown = list(of_proof(proof(GOOD, tried("lazy", "wrong", case("adds"), case("hides")))))
    assert shown[1] == "wrong  lazy: NOT CAUGHT: passes all 2"
    assert shown[2] == "these cases catch no wrong program: adds, hides"
    assert shown[-1] == "not proved: 1 wrong program not caught"


@pytest.mark.parametrize(
    "result",
    [
        {"status": "infrastructure_failed", "error": {"code": "x", "message": "the pool is gone"}},
        {"status": "succeeded", "verdict": "internal_error", "cases": []},
        {"status": "cancelled"},
    ],
)
def test_what_the_platform_failed_proves_nothing(result: dict[str, Any]) -> None:
    for role in ("right", "wrong"):
        found = proof(GOOD, Tried("other", role, result))
        assert [program.name for program in found.ungraded] == ["other"]
        assert not found.unexpected
        assert status_of(found) == 1
        assert list(of_proof(found))[-1] == "not proved: 1 program could not be run; run it again"


def test_a_rejected_program_is_as_it_should_not_be_in_either_role() -> None:
    result = {"status": "rejected", "error": {"code": "limit_exceeded", "message": "too\x07 much"}}
    found = proof(Tried("a", "right", result), Tried("b", "wrong", result))
    assert list(of_proof(found)) == [
        "right  a: NOT ACCEPTED: rejected: too\\x07 much",
        "wrong  b: NOT CAUGHT: rejected: too\\x07 much",
        "not proved: 1 solution not accepted, 1 wrong program not caught",
    ]


def test_the_table_has_the_cases_and_what_programs_said_of_them(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(YAML)
    file = read_cases(tmp_path / "c.yaml", 1 << 20).file
    title, headings, *rows = of_cases(tmp_path / "c.yaml", file, proof(GOOD, BAD))
    assert title.endswith("c.yaml: 2 cases, 3 points, 1 hidden, stops at the first failure")
    assert headings.split()[-2:] == ["SLOWEST", "CAUGHT"]
    assert rows[0].split() == ["adds", "trimmed", "2", "2", "64", "0.02", "0"]
    assert rows[1].split() == ["hides", "1", "yes", "6.00", "1"]


def test_a_harness_without_a_list_of_cases_and_names_that_are_there_twice_are_told(tmp_path: Path) -> None:
    write = (tmp_path / "c.yaml").write_text
    write("version: 1\nharness: {code: {inline: x}}\n")
    shown = list(of_cases(tmp_path / "c.yaml", read_cases(tmp_path / "c.yaml", 1 << 20).file))
    assert [line.partition("c.yaml: ")[2] for line in shown] == [
        "0 cases, 0 points, a harness, whose tests are the cases"
    ]
    write("version: 1\ncases: [{name: a}, {name: b}, {name: a}]\n")
    shown = list(of_cases(tmp_path / "c.yaml", read_cases(tmp_path / "c.yaml", 1 << 20).file))
    assert shown[1] == "warning: 2 cases have the name a: reports cannot tell them apart"


def test_nothing_is_hidden_from_who_proves_cases_and_nothing_is_skipped(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(YAML)
    document = parse_json(laid_open(read_cases(tmp_path / "c.yaml", 1 << 20)).data)
    assert document["stop_at_first_failure"] is False
    assert [each["hidden"] for each in document["cases"]] == [False, False]
    assert document["cases"][0]["points"] == 2


def test_a_right_and_a_wrong_program_may_have_the_same_name(tmp_path: Path) -> None:
    for folder in ("right", "wrong"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "sum.js").write_text(folder)
    (right,) = trials([tmp_path / "right"], "right", "check-1")
    (wrong,) = trials([tmp_path / "wrong"], "wrong", "check-1")
    for job, role in ((right, "right"), (wrong, "wrong")):
        document, blobs = job.load()
        assert (document["id"], document["batch"]) == (f"{role}-sum", "check-1")
        assert blobs == {document["code"]["blob"]: role.encode()}
        assert job.entry.metadata == {"student": "sum"}
    assert right.load()[0]["code"]["blob"] != wrong.load()[0]["code"]["blob"]
