from __future__ import annotations

import time
import unicodedata

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from worker.students import job_id, student_of, student_pattern

MOODLE = "{student}_*_assignsubmission_file_*"
NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


@pytest.mark.parametrize(
    ("pattern", "name", "student"),
    [
        ("{student}_assignsubmission_file_", "Ada Lovelace_assignsubmission_file_", "Ada Lovelace"),
        (MOODLE, "李明_12345_assignsubmission_file_", "李明"),
        (MOODLE, "مريم_12345_assignsubmission_file_hw 1", "مريم"),
        (MOODLE, "12345_assignsubmission_file_", None),
        ("{student}-*", "ada-2-late", "ada"),
        ("{student}-*", "ada", None),
        ("{student}*-x", "ada-x", None),
        ("*_{student}", "hw1_ada_l", "ada_l"),
        ("hw[1].{student}", "hw[1].🦊", "🦊"),
        ("hw[1].{student}", "hw1.a", None),
        ("{student}", "Zoe\u0308", "Zoë"),
        ("Zoe\u0308-{student}", "Zoë-x", "x"),
        ("{student}_", "_", None),
        ("a**{student}", "ab", None),
    ],
)
def test_a_pattern_finds_the_student(pattern: str, name: str, student: str | None) -> None:
    if "}*" in pattern or "*{" in pattern:
        with pytest.raises(ValueError, match="between"):
            student_pattern(pattern)
        return
    assert student_pattern(pattern).student(name) == student


@pytest.mark.parametrize(
    "pattern", ["", "*", "hw1", "{student}{student}", "{student}-{student}", "{Student}"]
)
def test_a_pattern_without_one_student_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="once"):
        student_pattern(pattern)


@given(NAMES, NAMES, NAMES)
def test_what_stands_between_texts_that_are_not_in_it_is_found(before: str, student: str, after: str) -> None:
    before, student, after = (unicodedata.normalize("NFC", text) for text in (before, student, after))
    assume(not set(before + student + after) & set("*{}_"))
    name = unicodedata.normalize("NFC", f"{before}_{student}_{after}")
    assume(name == f"{before}_{student}_{after}")
    assert student_pattern("*_{student}_*").student(name) == student


def test_no_name_takes_long() -> None:
    pattern = student_pattern("*_*_*_*_*_{student}_*_*_*_x")
    started = time.process_time()
    assert pattern.student("_" * 255) is None
    assert time.process_time() - started < 1


def test_a_name_is_the_same_from_any_system() -> None:
    assert student_of("Zoe\u0308") == student_of("Zoë") == "Zoë"
    assert student_of("a\udcff") == "a\N{REPLACEMENT CHARACTER}"


def test_names_that_differ_in_case_only_are_two() -> None:
    assert job_id("Ada") != job_id("ada")
