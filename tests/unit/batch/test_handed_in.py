"""A class folder as it lies, and the jobs it makes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.unit.batch.zips import zipped
from worker.batch import BatchError
from worker.handed_in import Layout
from worker.students import student_pattern
from worker.submission import programs

if TYPE_CHECKING:
    from pathlib import Path

    from worker.candidate import Candidate

FOLDERS = Layout(each="folder")


def lay(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(zipped({"hw/main.js": b"1"}) if name.endswith(".zip") else b"1")


def students(jobs: list[Candidate]) -> list[str]:
    return [job.entry.metadata["student"] for job in jobs]


def problems(jobs: list[Candidate]) -> dict[str, str]:
    return {job.entry.id: job.problem for job in jobs if job.problem is not None}


def test_whatever_lies_in_a_class_folder_is_a_submission(tmp_path: Path) -> None:
    lay(
        tmp_path,
        "Ada L.v2/main.js",
        "bob.js",
        "cem.zip",
        "dora.txt",
        ".hidden/main.js",
        "eve/a.js",
        "eve/b.js",
    )
    jobs = programs([tmp_path], "hw1", FOLDERS)
    assert students(jobs) == ["Ada L.v2", "bob", "cem", "dora", "eve"]
    assert list(problems(jobs)) == ["dora", "eve"]
    assert jobs[0].load()[0]["code"]["path"] == "main.js"
    assert jobs[1].load()[0]["code"].keys() == {"blob", "sha256"}


def test_an_archive_is_one_submission_among_programs_too(tmp_path: Path) -> None:
    lay(tmp_path, "ada.zip", "deep/bob.js", "deep/cem.ZIP", "dora.txt")
    assert students(programs([tmp_path], "hw1")) == ["ada", "bob", "cem"]
    assert students(programs([tmp_path / "ada.zip", tmp_path / "deep/bob.js"], "hw1", FOLDERS)) == [
        "ada",
        "bob",
    ]


def test_the_program_of_all_can_be_named(tmp_path: Path) -> None:
    lay(tmp_path, "ada/a.js", "ada/b.js", "bob/a.js", "cem.js")
    jobs = programs([tmp_path], "hw1", Layout(each="folder", entry="b.js"))
    assert jobs[0].load()[0]["code"]["path"] == "b.js"
    assert list(problems(jobs)) == ["bob"]


def test_students_are_found_by_a_pattern_in_names_of_any_script(tmp_path: Path) -> None:
    lay(
        tmp_path,
        "李明_1_assignsubmission_file_/x.js",
        "Zoe\u0308 K_2_assignsubmission_file_/x.js",
        "مريم_3_assignsubmission_file_/x.js",
    )
    pattern = student_pattern("{student}_*_assignsubmission_file_")
    jobs = programs([tmp_path], "hw1", Layout(each="folder", student=pattern))
    assert sorted(students(jobs)) == sorted(["李明", "Zoë K", "مريم"])
    assert len({job.entry.id for job in jobs}) == 3


def test_all_names_that_do_not_fit_the_pattern_are_listed(tmp_path: Path) -> None:
    lay(tmp_path, "ada-1.js", "bob.js", "cem\x1b[2J.js")
    with pytest.raises(BatchError, match=r"(?s)'\{student\}-\*'.*bob\.js\n.*cem\\x1b\[2J\.js") as caught:
        programs([tmp_path], "hw1", Layout(student=student_pattern("{student}-*")), keep_clashes=True)
    assert "ada" not in str(caught.value).replace(str(tmp_path), "")


def test_one_student_twice_is_an_error_that_names_both_of_each(tmp_path: Path) -> None:
    lay(tmp_path, "ada-1.js", "ada-2.js", "bob-1.js", "bob-2.zip", "cem-1.js")
    with pytest.raises(BatchError) as caught:
        programs([tmp_path], "hw1", Layout(student=student_pattern("{student}-*")))
    first, *clashes = str(caught.value).splitlines()
    assert "--skip-invalid" in first
    assert [line.replace(str(tmp_path), "").strip() for line in clashes] == [
        "/ada-1.js and /ada-2.js would both be the job 'ada'",
        "/bob-1.js and /bob-2.zip would both be the job 'bob'",
    ]


def test_folders_that_have_programs_of_one_name_are_told_how_to_be_submissions(tmp_path: Path) -> None:
    lay(tmp_path, "ada/main.js", "bob/main.js")
    with pytest.raises(BatchError, match=r"--each folder"):
        programs([tmp_path], "hw1")
    assert students(programs([tmp_path], "hw1", FOLDERS)) == ["ada", "bob"]


def test_those_that_clash_can_have_one_rejection_that_names_both_and_no_path_of_the_teachers(
    tmp_path: Path,
) -> None:
    lay(tmp_path, "Zoe.js", "deep/Zoë.js", "bob.js")
    jobs = programs([tmp_path], "hw1", keep_clashes=True)
    assert problems(jobs) == {"Zoe": "'Zoe.js' and 'deep/Zoë.js' would both be the job 'Zoe'"}
    assert students(jobs) == ["Zoe, Zoë", "bob"] or students(jobs) == ["bob", "Zoe, Zoë"]


def test_names_that_are_equal_when_composed_clash_and_those_of_another_case_do_not(tmp_path: Path) -> None:
    lay(tmp_path, "Zo\u00eb.js", "Zoe\u0308.js", "Ada.js", "ada.js")
    jobs = programs([tmp_path], "hw1", keep_clashes=True)
    assert list(problems(jobs)) == ["Zoe"]
    assert {"Ada", "ada", "Zoë"} == set(students(jobs))


def test_an_empty_class_folder_is_an_error(tmp_path: Path) -> None:
    for layout in (Layout(), FOLDERS):
        with pytest.raises(BatchError, match="there are no programs in"):
            programs([tmp_path], "hw1", layout)


def test_an_empty_folder_of_a_student_is_a_problem_of_that_student(tmp_path: Path) -> None:
    lay(tmp_path, "ada.js")
    (tmp_path / "bob").mkdir()
    assert problems(programs([tmp_path], "hw1", FOLDERS)).keys() == {"bob"}


def test_a_problem_that_changes_its_words_is_the_same_job_still(tmp_path: Path) -> None:
    lay(tmp_path, "ada/a.js", "ada/b.js")
    (before,) = programs([tmp_path], "hw1", FOLDERS)
    lay(tmp_path, "ada/c.js")
    (after,) = programs([tmp_path], "hw1", FOLDERS)
    assert before.problem != after.problem
    assert before.entry == after.entry


def test_a_folder_that_becomes_unusable_after_the_check_is_not_sent(tmp_path: Path) -> None:
    lay(tmp_path, "ada/main.js")
    (job,) = programs([tmp_path], "hw1", FOLDERS)
    (tmp_path / "ada/main.js").unlink()
    with pytest.raises(BatchError, match="ada changed"):
        job.load()
