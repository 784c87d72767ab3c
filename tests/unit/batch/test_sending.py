from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.batch.fakes import Calls, MemoryBlobs, MemoryQueue
from worker.batch import BatchError, Folder, read_manifest
from worker.faults import InfrastructureFault
from worker.job import parse_job
from worker.sending import MAX_MESSAGE_BYTES, Submission, Submitted
from worker.submission import manifest, programs

if TYPE_CHECKING:
    from pathlib import Path

    from worker.submission import Candidate

FOLDER = Folder("results", "hw1")
BIG = "x" * MAX_MESSAGE_BYTES


def lines(folder: Path, *jobs: dict[str, Any], keep_invalid: bool = False) -> list[Candidate]:
    file = folder / "jobs.jsonl"
    file.write_text(
        "".join(json.dumps({"version": 1, "code": {"inline": "1"}, **job}) + "\n" for job in jobs)
    )
    return manifest(file, "hw1", keep_invalid=keep_invalid)


def files(folder: Path, count: int) -> list[Candidate]:
    for number in range(count):
        (folder / f"s{number:03}.js").write_text(f"console.log({number})")
    return programs([folder], "hw1")


async def test_programs_are_uploaded_and_pinned_and_their_messages_are_jobs(tmp_path: Path) -> None:
    blobs, queue = MemoryBlobs(), MemoryQueue()
    await Submission(blobs, queue, FOLDER).run(files(tmp_path, 2))
    job = parse_job(queue.messages["hw1/s001"])
    blob = blobs.blobs["submissions/hw1/s001.js"]
    assert job.code.model_dump() == {
        "blob": "submissions/hw1/s001.js",
        "sha256": hashlib.sha256(blob.data).hexdigest(),
        "etag": blob.etag,
    }
    assert [entry.id for entry in await read_manifest(blobs, FOLDER)] == ["s000", "s001"]


async def test_the_manifest_stands_before_the_first_message(tmp_path: Path) -> None:
    calls = Calls()
    blobs, queue = MemoryBlobs(calls), MemoryQueue(calls)
    calls.last = 1
    with pytest.raises(InfrastructureFault):
        await Submission(blobs, queue, FOLDER).run(lines(tmp_path, {"id": "a"}))
    assert [entry.id for entry in await read_manifest(blobs, FOLDER)] == ["a"]
    assert not queue.messages


async def test_run_again_it_sends_nothing(tmp_path: Path) -> None:
    blobs, queue = MemoryBlobs(), MemoryQueue()
    jobs = files(tmp_path, 3)
    assert await Submission(blobs, queue, FOLDER).run(jobs) == Submitted(3, 0)
    before = dict(blobs.blobs)
    assert await Submission(blobs, queue, FOLDER).run(jobs) == Submitted(0, 3)
    assert queue.sent == 3
    assert blobs.blobs == before


@pytest.mark.parametrize("last", [0, 1, 20, 66, 67, 100, 150, 155, 156])
async def test_after_a_crash_at_any_call_each_job_is_there_once(tmp_path: Path, last: int) -> None:
    calls = Calls()
    blobs, queue = MemoryBlobs(calls), MemoryQueue(calls)
    jobs = files(tmp_path, 150)
    calls.last = last
    with pytest.raises(InfrastructureFault):
        await Submission(blobs, queue, FOLDER).run(jobs)
    calls.last = None
    await Submission(blobs, queue, FOLDER).run(jobs)
    assert len(queue.messages) == 150
    assert all(
        json.loads(body)["code"]["etag"] == blobs.blobs[json.loads(body)["code"]["blob"]].etag
        for body in queue.messages.values()
    )


async def test_new_jobs_are_added_to_a_batch(tmp_path: Path) -> None:
    blobs, queue = MemoryBlobs(), MemoryQueue()
    await Submission(blobs, queue, FOLDER).run(lines(tmp_path, {"id": "a"}))
    done = await Submission(blobs, queue, FOLDER).run(lines(tmp_path, {"id": "b"}, {"id": "a"}))
    assert done == Submitted(1, 1)
    assert [entry.id for entry in await read_manifest(blobs, FOLDER)] == ["a", "b"]


async def test_another_job_under_an_id_of_the_batch_is_refused_by_name(tmp_path: Path) -> None:
    blobs, queue = MemoryBlobs(), MemoryQueue()
    await Submission(blobs, queue, FOLDER).run(lines(tmp_path, {"id": "a"}, {"id": "b"}))
    with pytest.raises(BatchError, match=r"same id: b\..*another name"):
        await Submission(blobs, queue, FOLDER).run(lines(tmp_path, {"id": "a"}, {"id": "b", "stdin": "2"}))
    assert queue.sent == 2


async def test_a_foreign_blob_in_a_programs_place_is_not_taken_for_it(tmp_path: Path) -> None:
    blobs, queue = MemoryBlobs(), MemoryQueue()
    await blobs.create("submissions/hw1/s000.js", b"something else")
    with pytest.raises(BatchError, match=r"submissions/hw1/s000\.js"):
        await Submission(blobs, queue, FOLDER).run(files(tmp_path, 1))


@pytest.mark.parametrize(
    ("part", "blob"),
    [
        ({"code": {"inline": BIG}}, "inputs/hw1/a/code.js"),
        ({"stdin": BIG}, "inputs/hw1/a/stdin"),
        ({"files": [{"path": "f", "inline": BIG}]}, "inputs/hw1/a/file-0"),
        ({"cases": [{"name": "n", "stdin": BIG}]}, "inputs/hw1/a/cases.json"),
    ],
)
async def test_a_part_too_large_for_a_message_goes_to_a_blob(
    tmp_path: Path, part: dict[str, Any], blob: str
) -> None:
    blobs, queue = MemoryBlobs(), MemoryQueue()
    await Submission(blobs, queue, FOLDER).run(lines(tmp_path, {"id": "a", **part}))
    body = queue.messages["hw1/a"]
    assert parse_job(body).id == "a"
    assert len(body) < MAX_MESSAGE_BYTES
    assert json.dumps(blob).encode() in body
    assert BIG in blobs.text(blob)


async def test_only_as_much_as_must_goes_to_blobs(tmp_path: Path) -> None:
    blobs, queue = MemoryBlobs(), MemoryQueue()
    await Submission(blobs, queue, FOLDER).run(lines(tmp_path, {"id": "a", "stdin": BIG}))
    assert json.loads(queue.messages["hw1/a"])["code"] == {"inline": "1"}


async def test_an_invalid_job_is_sent_as_it_is_and_made_to_fit_all_the_same(tmp_path: Path) -> None:
    blobs, queue = MemoryBlobs(), MemoryQueue()
    await Submission(blobs, queue, FOLDER).run(
        lines(tmp_path, {"id": "a", "stdin": BIG, "oops": [1]}, keep_invalid=True)
    )
    assert json.loads(queue.messages["hw1/a"])["oops"] == [1]


async def test_a_job_that_fits_no_message_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(BatchError, match="'a' fits no message"):
        await Submission(MemoryBlobs(), MemoryQueue(), FOLDER).run(
            lines(tmp_path, {"id": "a", "args": [BIG]})
        )
