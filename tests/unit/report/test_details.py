from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.report.documents import case, graded, result, stream
from worker.differing import in_lines
from worker.report.details import TEXT_CHARS, Room, details, difference


def told(document: dict[str, Any], *, hidden: bool = True, room: int = 100_000) -> dict[str, Any]:
    return details(document, Room(room), hidden=hidden)


def test_a_case_that_fails_tells_what_differs_and_what_was_printed() -> None:
    wrong = case("x", "wrong_answer", diff=in_lines("1\n2", "1\n3"), stdout=stream("1\n3"), exit_code=0)
    (of_case,) = told(graded("a", [wrong]))["cases"]
    assert of_case["facts"] == ["0.04 s", "exit code 0"]
    assert [line[0] for line in of_case["diff"]] == ["@", " ", "-", "+"]
    assert of_case["stdout"] == {"text": "1\n3"}
    assert of_case["points"] == "0 / 2"


def test_what_a_checker_or_a_harness_said_is_told() -> None:
    (of_case,) = told(graded("a", [case("x", "wrong_answer", message="not a\x1b permutation")]))["cases"]
    assert of_case["message"] == r"not a\x1b permutation"


@pytest.mark.parametrize("verdict", ["time_limit", "memory_limit", "output_limit"])
def test_a_limit_that_was_hit_is_named(verdict: str) -> None:
    (of_case,) = told(graded("a", [case("x", verdict)]))["cases"]
    assert verdict.replace("_", " ") in of_case["limit"]


def test_of_a_hidden_case_a_student_learns_name_verdict_and_points_and_nothing_else() -> None:
    secret = case("x", "wrong_answer", hidden=True, diff="-7", message="7", stdout=stream("7"), exit_code=7)
    document = graded("a", [secret], error={"code": "exit_code", "message": "7", "field": "cases.0"})
    student = told(document, hidden=False)
    assert student["cases"] == [{"name": "x", "verdict": "wrong_answer", "points": "0 / 2", "hidden": True}]
    assert "message" not in student
    teacher = told(document)
    assert teacher["message"] == "x: 7"
    assert teacher["cases"][0]["stdout"] == {"text": "7"}


def test_of_a_job_with_cases_no_output_is_told_but_that_of_its_cases() -> None:
    assert "stdout" not in told(graded("a", [case("x", hidden=True)], stdout=stream("7")), hidden=False)
    assert told(result("a", stdout=stream("7")), hidden=False)["stdout"] == {"text": "7"}


def test_long_output_is_cut_and_says_so() -> None:
    long = stream("é" * TEXT_CHARS * 2, bytes=4_000_000, blob="results/hw1/a/attempts/1/stdout")
    text = told(result("a", stdout=long))["stdout"]
    assert text["text"] == "é" * TEXT_CHARS
    assert "3,000 characters of 4,000,000 bytes" in text["cut"]
    assert long["blob"] in text["cut"]


def test_output_that_the_worker_cut_says_so_too() -> None:
    assert "cut" in told(result("a", stdout=stream("all", truncated=True)))["stdout"]


def test_where_room_is_short_what_failed_is_told_first() -> None:
    cases = [case("x", stdout=stream("a" * 300)), case("y", "wrong_answer", stdout=stream("b" * 900))]
    first, second = told(graded("a", cases), room=1000)["cases"]
    assert second["stdout"] == {"text": "b" * 900}
    assert first["stdout"]["text"] == "a" * 100


@given(st.text(), st.integers(0, 50))
def test_no_text_takes_more_room_than_there_is(text: str, left: int) -> None:
    shown, cut = Room(left).take(text, 20)
    assert len(shown) <= min(left, 20)
    assert cut == (len(shown) < len(text))
    assert shown.replace("\n", "").replace("\t", "").isprintable()


def test_the_part_of_a_line_that_differs_is_set_apart() -> None:
    lines = difference("line 1 (- expected, + output):\n-total: 12 EUR\n+total: 13 EUR")
    assert lines[1:] == [["-", "total: 1", "2", " EUR"], ["+", "total: 1", "3", " EUR"]]


def test_lines_of_which_nothing_is_alike_are_left_whole() -> None:
    lines = difference("line 1 (- expected, + output):\n-one\n+abc")
    assert lines[1:] == [["-", "one", "", ""], ["+", "abc", "", ""]]


def test_what_is_no_diff_is_text() -> None:
    assert difference("token 3: expected 1, got 2\n-x") == [
        [" ", "token 3: expected 1, got 2", "", ""],
        [" ", "-x", "", ""],
    ]


@given(st.text("ab\n"), st.text("ab\n"))
def test_marking_loses_nothing(expected: str, actual: str) -> None:
    diff = in_lines(expected, actual) or ""
    lines = ["".join(line[1:]) for line in difference(diff)]
    assert [line.removeprefix(" ") for line in lines] == [
        line[1:].removeprefix(" ") if at and line[:1] in "+- " else line
        for at, line in enumerate(diff.split("\n"))
    ]
