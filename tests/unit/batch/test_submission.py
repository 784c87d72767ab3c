from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.batch import BatchError
from worker.names import NAME, check_blob
from worker.students import job_id
from worker.submission import documents, manifest, programs

if TYPE_CHECKING:
    from pathlib import Path

JOB = {"version": 1, "id": "a", "code": {"inline": "1"}}


def write(folder: Path, *lines: object) -> Path:
    file = folder / "jobs.jsonl"
    file.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines))
    return file


def test_programs_of_folders_become_jobs_in_the_order_of_their_names(tmp_path: Path) -> None:
    for name in ("b.js", "a.mjs", "deep/c.cjs", "notes.txt", "node_modules/x.js", ".git/y.js", ".z.js"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("1")
    jobs = programs([tmp_path], "hw1")
    assert [job.entry.id for job in jobs] == ["a", "b", "c"]
    document, blobs = jobs[0].load()
    assert document["code"]["blob"] == "submissions/hw1/a.mjs"
    assert blobs == {"submissions/hw1/a.mjs": b"1"}


def test_the_name_as_given_stands_in_the_metadata(tmp_path: Path) -> None:
    (tmp_path / "Ada Lovelace.js").write_text("1")
    (job,) = programs([tmp_path / "Ada Lovelace.js"], "hw1")
    assert job.entry.id == "Ada-Lovelace"
    assert job.entry.metadata == {"student": "Ada Lovelace"}


def test_two_files_with_one_id_are_an_error_that_names_both(tmp_path: Path) -> None:
    for name in ("x.js", "x.mjs"):
        (tmp_path / name).write_text("1")
    with pytest.raises(BatchError, match=r"x\.js and .*x\.mjs would both be the job 'x'"):
        programs([tmp_path], "hw1")


def test_a_file_given_twice_is_one_job(tmp_path: Path) -> None:
    (tmp_path / "x.js").write_text("1")
    assert len(programs([tmp_path, tmp_path / "x.js"], "hw1")) == 1


@pytest.mark.parametrize("name", ["notes.txt", "."])
def test_what_holds_no_program_is_an_error(tmp_path: Path, name: str) -> None:
    (tmp_path / "notes.txt").write_text("1")
    with pytest.raises(BatchError, match="programs"):
        programs([tmp_path / name], "hw1")


def test_a_program_that_changes_after_the_check_is_not_sent(tmp_path: Path) -> None:
    (tmp_path / "x.js").write_text("1")
    (job,) = programs([tmp_path], "hw1")
    (tmp_path / "x.js").write_text("2")
    with pytest.raises(BatchError, match="x changed"):
        job.load()


@given(st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1))
def test_every_name_becomes_an_id_that_a_blob_can_carry(name: str) -> None:
    assert re.match(NAME, job_id(name))
    assert ".." not in job_id(name)
    check_blob(f"results/hw1/{job_id(name)}/result.json")


@given(st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9_-]{0,30}[A-Za-z0-9])?", fullmatch=True))
def test_a_name_that_fits_stays_as_it_is(name: str) -> None:
    assert job_id(name) == name


def test_names_in_other_scripts_keep_ids_of_their_own() -> None:
    assert job_id("Zoë") == "Zoe"
    assert job_id("李明") != job_id("王芳")
    assert job_id("李明 2").startswith("2-")


def test_a_manifest_is_read_with_blank_lines_and_a_byte_order_mark(tmp_path: Path) -> None:
    file = write(tmp_path, "\ufeff" + json.dumps(JOB), "", json.dumps({**JOB, "id": "b"}) + "\r")
    jobs = manifest(file)
    assert [(job.batch, job.entry.id) for job in jobs] == [("default", "a"), ("default", "b")]
    assert jobs[1].load() == ({**JOB, "id": "b"}, {})


def test_a_batch_that_is_given_overrides_those_of_the_jobs(tmp_path: Path) -> None:
    (job,) = manifest(write(tmp_path, {**JOB, "batch": "old"}), "new")
    assert job.batch == "new"
    assert job.load()[0]["batch"] == "new"


def test_all_lines_that_are_no_jobs_are_listed_with_number_field_and_reason(tmp_path: Path) -> None:
    file = write(tmp_path, JOB, "{", {**JOB, "id": "../x"}, {**JOB, "id": "c", "stdin": 1}, [], JOB)
    with pytest.raises(BatchError) as caught:
        manifest(file)
    lines = str(caught.value).splitlines()[1:]
    assert [line.split(":")[0].strip() for line in lines] == [
        "line 2",
        "line 3",
        "line 4",
        "line 5",
        "line 6",
    ]
    assert "id:" in lines[1]
    assert "stdin:" in lines[2]
    assert "of line 1 already" in lines[4]


def test_invalid_jobs_with_an_id_can_be_kept_for_the_worker_to_reject(tmp_path: Path) -> None:
    odd = {"version": 9, "id": "b", "code": 7, "metadata": "none"}
    jobs = manifest(write(tmp_path, JOB, odd), "hw1", keep_invalid=True)
    assert jobs[1].load()[0] == {**odd, "batch": "hw1"}
    with pytest.raises(BatchError, match="line 1"):
        manifest(write(tmp_path, {"id": "/"}), "hw1", keep_invalid=True)


def test_a_manifest_without_jobs_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(BatchError, match="no jobs"):
        manifest(write(tmp_path, ""))


def test_what_is_no_job_at_all_is_told_with_its_place() -> None:
    strays: list[Any] = [JOB, 7, "x", ["id", "b"]]
    with pytest.raises(BatchError) as caught:
        documents(strays, "hw1")
    assert re.findall(r"job (\d): a job is a JSON object", str(caught.value)) == ["2", "3", "4"]
