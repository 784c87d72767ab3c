from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.report.documents import case, graded, named, reported, result
from worker.report.gradebook import cell
from worker.report.standing import MAX_COLUMNS


def rows(text: str) -> list[list[str]]:
    assert text.startswith("\ufeff")
    return list(csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True))


async def test_a_student_has_a_row_and_a_case_a_column() -> None:
    ada = graded("s1", [case("adds"), case("halves", "wrong_answer", 1.5)], metadata=named("Ada, Countess"))
    heading, row = rows(await reported("csv", ada))
    assert heading == ["student", "id", "status", "verdict", "points", "of", "adds", "halves"]
    assert row == ["Ada, Countess", "s1", "succeeded", "partial", "2", "3.5", "2", "0"]


async def test_columns_stand_in_the_order_in_which_cases_first_appear() -> None:
    text = await reported(
        "csv", graded("a", [case("x"), case("y")]), graded("b", [case("z"), case("y", of=3)])
    )
    heading, first, second = rows(text)
    assert heading[6:] == ["x", "y", "z"]
    assert (first[6:], second[6:]) == (["2", "2", ""], ["", "3", "2"])


async def test_cases_of_one_name_have_a_column_each() -> None:
    heading, row = rows(await reported("csv", graded("a", [case("x"), case("x", "time_limit")])))
    assert (heading[6:], row[6:]) == (["x", "x (2)"], ["2", "0"])


@pytest.mark.parametrize(
    ("document", "why"),
    [
        (result("a", "infrastructure_failed"), "infrastructure failed"),
        (result("a", "cancelled"), "cancelled"),
        (graded("a", [case("x", "internal_error")]), "internal error"),
        (graded("a", [case("x"), case("y", "internal_error")]), "internal error"),
    ],
)
async def test_who_is_not_graded_has_no_points_and_no_zero(document: dict[str, object], why: str) -> None:
    _, row = rows(await reported("csv", document))
    assert row[2] == f"not graded: {why}"
    assert set(row[4:]) == {""}


async def test_a_job_without_a_result_has_a_row_that_says_so() -> None:
    _, row = rows(await reported("csv", missing=["s9"], names={"s9": "Grace"}))
    assert row == ["Grace", "s9", "not graded: no result yet", "", "", ""]


async def test_a_rejected_submission_has_no_points_either() -> None:
    _, row = rows(await reported("csv", result("a", "rejected")))
    assert row[2:6] == ["rejected", "", "", ""]


async def test_quotes_and_line_ends_in_names_stay_in_their_cells() -> None:
    heading, row = rows(
        await reported("csv", graded("a", [case('say "hi"\nnow')], metadata=named("O'\r\nX")))
    )
    assert heading[6] == r'say "hi"\nnow'
    assert row[0] == r"O'\r\nX"


@pytest.mark.parametrize("begin", ["=", "+", "-", "@", "\t", "\r", "\n", "\uff1d"])
async def test_no_text_is_taken_for_a_formula(begin: str) -> None:
    formula = f'{begin}HYPERLINK("http://example.org")'
    heading, row = rows(await reported("csv", graded("a", [case(formula)], metadata=named(formula))))
    assert heading[6].startswith(("'", "\\"))
    assert row[0].startswith(("'", "\\"))


@given(st.text())
def test_a_cell_never_begins_as_a_formula_does(text: str) -> None:
    assert cell(text)[:1] not in {"=", "+", "-", "@", "\t", "\r", "\n"}


async def test_a_harness_that_reports_any_number_of_tests_makes_a_bounded_number_of_columns() -> None:
    cases = [case(str(number)) for number in range(MAX_COLUMNS + 5)]
    heading, row = rows(await reported("csv", graded("a", cases)))
    assert len(heading) == len(row) == 6 + MAX_COLUMNS
    assert row[4] == str(2 * len(cases))
