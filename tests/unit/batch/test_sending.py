from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.batch.fakes import MAX_BLOCK_BYTES, Calls, MemoryBlobs, MemoryQueue
from worker.batch import BatchError, Folder, read_manifest
from worker.cancelling import mark, marker
from worker.faults import InfrastructureFault
from worker.fitting import MAX_MESSAGE_BYTES
from worker.job import parse_job
from worker.records import Records
from worker.sending import Submission, Submitted
from worker.submission import manifest, programs

if TYPE_CHECKING:
    from pathlib import Path

    from worker.candidate import Candidate

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
    assert job.code.model_dump(exclude_none=True) == {
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


@pytest.mark.parametrize("last", [0, 1, 20, 65, 66, 67, 68, 100, 150, 155, 156, 159])
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


async def test_a_program_that_goes_to_a_blob_keeps_its_place(tmp_path: Path) -> None:
    blobs, queue = MemoryBlobs(), MemoryQueue()
    code = {"inline": BIG, "path": "src/app.js"}
    await Submission(blobs, queue, FOLDER).run(lines(tmp_path, {"id": "a", "code": code}))
    assert parse_job(queue.messages["hw1/a"]).code.path == "src/app.js"
    assert blobs.text("inputs/hw1/a/code.js") == BIG


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


async def recorded(blobs: MemoryBlobs, *wanted: str) -> dict[str, tuple[bytes, int]]:
    """Body and number of repairs of the jobs wanted, by id."""
    pages = Records(blobs, FOLDER).jobs(wanted)
    return {job.id: (job.body, job.repairs) async for page in pages for job in page}


@pytest.mark.parametrize("last", [66, 67, 68, 133, 134, 135, 158, 159])
async def test_whatever_is_sent_was_recorded_as_it_was_sent(tmp_path: Path, last: int) -> None:
    calls = Calls()
    blobs, queue = MemoryBlobs(calls), MemoryQueue(calls)
    jobs = files(tmp_path, 150)
    calls.last = last
    with pytest.raises(InfrastructureFault):
        await Submission(blobs, queue, FOLDER).run(jobs)
    ids = [message_id.partition("/")[2] for message_id in queue.messages]
    bodies = {job_id: body for job_id, (body, _) in (await recorded(blobs, *ids)).items()}
    assert bodies == {job_id: queue.messages[f"hw1/{job_id}"] for job_id in ids}


async def test_of_a_job_that_is_recorded_twice_the_last_counts(tmp_path: Path) -> None:
    blobs, calls = MemoryBlobs(), Calls()
    calls.last = 0
    jobs = files(tmp_path, 1)
    with pytest.raises(InfrastructureFault):
        await Submission(blobs, MemoryQueue(calls), FOLDER).run(jobs)
    del blobs.blobs["submissions/hw1/s000.js"]  # so that it gets another ETag
    queue = MemoryQueue()
    await Submission(blobs, queue, FOLDER).run(jobs)
    assert await recorded(blobs, "s000") == {"s000": (queue.messages["hw1/s000"], 0)}


async def test_large_messages_are_recorded_in_several_appends_none_over_the_bound(tmp_path: Path) -> None:
    blobs, queue = MemoryBlobs(), MemoryQueue()
    large = "x" * (MAX_MESSAGE_BYTES - 1000)
    count = 2 * MAX_BLOCK_BYTES // MAX_MESSAGE_BYTES
    await Submission(blobs, queue, FOLDER).run(
        lines(tmp_path, *({"id": f"{number}", "stdin": large} for number in range(count)))
    )
    assert 2 <= blobs.appends["results/hw1/_batch/jobs-00001.jsonl"] <= 3
    assert len(await recorded(blobs, *map(str, range(count)))) == count


async def test_a_record_that_takes_no_more_is_followed_by_another(tmp_path: Path) -> None:
    blobs, queue = MemoryBlobs(), MemoryQueue()
    blobs.max_appends = 1
    jobs = files(tmp_path, 150)
    await Submission(blobs, queue, FOLDER).run(jobs)
    records = [name async for name in blobs.names("results", FOLDER.jobs_prefix)]
    assert records == [f"hw1/_batch/jobs-0000{number}.jsonl" for number in (1, 2, 3)]
    assert len(await recorded(blobs, *(job.entry.id for job in jobs))) == 150
    assert await Submission(blobs, queue, FOLDER).run(jobs) == Submitted(0, 150)


async def test_recording_costs_one_append_a_chunk(tmp_path: Path) -> None:
    blobs = MemoryBlobs()
    await Submission(blobs, MemoryQueue(), FOLDER).run(files(tmp_path, 150))
    assert blobs.appends == {
        "results/hw1/_batch/jobs-00001.jsonl": 3,
        "results/hw1/_batch/sent-00001.jsonl": 3,
    }


async def test_nothing_is_submitted_to_a_batch_that_was_cancelled(tmp_path: Path) -> None:
    blobs, queue = MemoryBlobs(), MemoryQueue()
    await mark(blobs, marker("results", "hw1"))
    with pytest.raises(BatchError, match=r"'hw1' was cancelled.*another name"):
        await Submission(blobs, queue, FOLDER).run(lines(tmp_path, {"id": "a"}))
    assert not queue.messages
    await Submission(blobs, queue, Folder("results", "hw10")).run(lines(tmp_path, {"id": "a"}))
    assert queue.sent == 1


async def test_names_too_long_for_a_message_id_are_told_before_anything_is_written(
    tmp_path: Path,
) -> None:
    blobs, queue = MemoryBlobs(), MemoryQueue()
    with pytest.raises(BatchError, match="127 characters together"):
        await Submission(blobs, queue, FOLDER).run(lines(tmp_path, {"id": "x" * 125}))
    assert not blobs.blobs
