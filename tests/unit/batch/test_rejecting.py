"""A class of which some cannot be used: submitted, crashed, and submitted again."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.unit.batch.fakes import Calls, MemoryBlobs, MemoryQueue
from tests.unit.batch.zips import zipped
from worker.batch import Folder, read_manifest
from worker.committing import Committer
from worker.faults import InfrastructureFault
from worker.handed_in import Layout
from worker.job import parse_job
from worker.progress import Progress
from worker.rejecting import Rejections
from worker.result import Result
from worker.sending import Submission, Submitted
from worker.submission import programs, with_cases
from worker.watching import follow

if TYPE_CHECKING:
    from pathlib import Path

    from worker.candidate import Candidate

FOLDER = Folder("results", "hw1")
PROGRESS = "results/hw1/_batch/progress-00000.jsonl"


def class_folder(folder: Path) -> list[Candidate]:
    """Four submissions, two of them unusable."""
    for name in ("ada/main.js", "ada/lib/util.js", "bob/a.js", "bob/b.js", "cem/essay.txt"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"// {name}")
    (folder / "dora.zip").write_bytes(zipped({"hw/index.js": b"1", "hw/data/ü.txt": b"2"}))
    return programs([folder], "hw1", Layout(each="folder"))


async def submit(blobs: MemoryBlobs, queue: MemoryQueue, jobs: list[Candidate]) -> Submitted:
    done = await Submission(blobs, queue, FOLDER).run(jobs)
    committer = Committer(blobs, "results", Progress(blobs, "results"), patience_seconds=0)
    await Rejections(blobs, FOLDER, committer).record([job for job in jobs if job.problem is not None])
    return done


def result(blobs: MemoryBlobs, job_id: str) -> Result:
    return Result.model_validate_json(blobs.blobs[FOLDER.result(job_id)].data)


async def test_what_cannot_be_used_has_its_result_at_once_and_the_rest_is_sent(tmp_path: Path) -> None:
    blobs, queue = MemoryBlobs(), MemoryQueue()
    assert await submit(blobs, queue, class_folder(tmp_path)) == Submitted(2, 0)
    assert list(queue.messages) == ["hw1/ada", "hw1/dora"]
    assert [entry.id for entry in await read_manifest(blobs, FOLDER)] == ["ada", "bob", "cem", "dora"]
    rejected = result(blobs, "bob")
    assert (rejected.status, rejected.verdict) == ("rejected", None)
    assert rejected.error
    assert rejected.error.code == "invalid_submission"
    assert "--entry" in rejected.error.message
    assert rejected.metadata == {"student": "bob"}


async def test_the_blobs_of_a_submission_are_there_when_its_message_is(tmp_path: Path) -> None:
    blobs, queue = MemoryBlobs(), MemoryQueue()
    await submit(blobs, queue, class_folder(tmp_path))
    document = json.loads(queue.messages["hw1/dora"])
    assert parse_job(queue.messages["hw1/dora"]).code.path == "index.js"
    assert document["code"]["etag"] == blobs.blobs[document["code"]["blob"]].etag
    assert [file["path"] for file in document["files"]] == ["data/ü.txt"]
    assert blobs.text(document["files"][0]["blob"]) == "2"


async def test_a_watch_counts_the_rejected(tmp_path: Path) -> None:
    blobs = MemoryBlobs()
    await submit(blobs, MemoryQueue(), class_folder(tmp_path))
    progress = await anext(follow(blobs, FOLDER, ["bob", "cem"]))
    assert (progress.done, progress.statuses) == (2, {"rejected": 2})


async def test_submitted_again_nothing_changes(tmp_path: Path) -> None:
    blobs, queue = MemoryBlobs(), MemoryQueue()
    await submit(blobs, queue, class_folder(tmp_path))
    before = dict(blobs.blobs)
    assert await submit(blobs, queue, class_folder(tmp_path)) == Submitted(0, 2)
    assert blobs.blobs == before
    assert queue.sent == 2


async def test_after_a_crash_at_any_call_everything_is_there_once(tmp_path: Path) -> None:
    jobs = class_folder(tmp_path)
    calls = Calls()
    await submit(MemoryBlobs(calls), MemoryQueue(calls), jobs)
    for last in range(calls.made):
        calls = Calls()
        calls.last = last
        blobs, queue = MemoryBlobs(calls), MemoryQueue(calls)
        with pytest.raises((InfrastructureFault, ExceptionGroup)):
            await submit(blobs, queue, jobs)
        standing = {name: blobs.blobs[name] for name in blobs.blobs if name.endswith("result.json")}
        calls.last = None
        await submit(blobs, queue, jobs)
        assert sorted(queue.messages) == ["hw1/ada", "hw1/dora"]
        assert {name: blobs.blobs[name] for name in standing} == standing
        told = Counter(json.loads(line)["id"] for line in blobs.blobs[PROGRESS].data.splitlines())
        assert told == {"bob": 1, "cem": 1}


async def test_a_result_that_stands_is_not_written_over(tmp_path: Path) -> None:
    blobs = MemoryBlobs()
    jobs = class_folder(tmp_path)
    await blobs.create(FOLDER.result("bob"), b"somebody else's")
    await submit(blobs, MemoryQueue(), jobs)
    assert blobs.text(FOLDER.result("bob")) == "somebody else's"


async def test_cases_go_to_those_that_are_sent(tmp_path: Path) -> None:
    cases = tmp_path / "cases.json"
    cases.write_text('{"version": 1, "cases": [{"name": "a"}]}')
    blobs, queue = MemoryBlobs(), MemoryQueue()
    jobs = with_cases(class_folder(tmp_path / "class"), cases)
    assert await submit(blobs, queue, jobs) == Submitted(2, 0)
    assert all(parse_job(body).cases for body in queue.messages.values())
    assert result(blobs, "cem").status == "rejected"
