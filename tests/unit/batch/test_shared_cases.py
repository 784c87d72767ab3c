from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.unit.batch.fakes import MemoryBlobs, MemoryQueue
from worker.batch import BatchError, Folder
from worker.job import parse_job
from worker.model import PinnedBlob
from worker.sending import Submission, Submitted
from worker.submission import manifest, programs, with_cases

if TYPE_CHECKING:
    from pathlib import Path

    from worker.candidate import Candidate

FOLDER = Folder("results", "hw1")


def cases_file(folder: Path, stdout: str = "3") -> Path:
    file = folder / "cases.json"
    file.write_text(json.dumps({"version": 1, "cases": [{"name": "a", "expect": {"stdout": stdout}}]}))
    return file


def jobs(folder: Path, stdout: str = "3") -> list[Candidate]:
    for name in ("a", "b"):
        (folder / f"{name}.js").write_text("1")
    return with_cases(programs([folder], "hw1"), cases_file(folder, stdout))


async def test_a_cases_file_is_uploaded_once_and_all_jobs_are_pinned_to_it(tmp_path: Path) -> None:
    blobs, queue = MemoryBlobs(), MemoryQueue()
    await Submission(blobs, queue, FOLDER).run(jobs(tmp_path))
    (name,) = (blob for blob in blobs.blobs if blob.startswith("inputs/hw1/cases-"))
    assert blobs.text(name) == '{"cases":[{"expect":{"stdout":"3"},"name":"a"}],"version":1}'
    pins = [parse_job(message).cases for message in queue.messages.values()]
    assert pins == [PinnedBlob(blob=name, etag=blobs.blobs[name].etag)] * 2


async def test_submitting_again_with_the_same_cases_sends_nothing_twice(tmp_path: Path) -> None:
    blobs, queue = MemoryBlobs(), MemoryQueue()
    await Submission(blobs, queue, FOLDER).run(jobs(tmp_path))
    assert await Submission(blobs, queue, FOLDER).run(jobs(tmp_path)) == Submitted(0, 2)


async def test_other_cases_are_other_jobs_which_one_batch_cannot_have(tmp_path: Path) -> None:
    blobs, queue = MemoryBlobs(), MemoryQueue()
    await Submission(blobs, queue, FOLDER).run(jobs(tmp_path))
    with pytest.raises(BatchError):
        await Submission(blobs, queue, FOLDER).run(jobs(tmp_path, stdout="4"))


async def test_a_job_with_cases_of_its_own_keeps_them(tmp_path: Path) -> None:
    lines = tmp_path / "jobs.jsonl"
    own = {"version": 1, "id": "a", "code": {"inline": "1"}, "cases": [{"name": "own"}]}
    lines.write_text(json.dumps(own))
    queue = MemoryQueue()
    candidates = with_cases(manifest(lines, "hw1"), cases_file(tmp_path))
    await Submission(MemoryBlobs(), queue, FOLDER).run(candidates)
    cases = parse_job(queue.messages["hw1/a"]).cases
    assert isinstance(cases, tuple)
    assert [case.name for case in cases] == ["own"]


def test_a_file_that_has_no_cases_is_told_with_its_name_and_field(tmp_path: Path) -> None:
    file = tmp_path / "cases.json"
    file.write_text('{"version": 1, "cases": [{"nam": "a"}]}')
    with pytest.raises(BatchError, match=r"cases\.json:1:27: cases\[0\]\.nam: there is no such"):
        with_cases([], file)
