"""What a job left lies where the jobs after it may read it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.unit.batch.fakes import MemoryBlobs
from tests.unit.chains.parents import CODE, ended, step, steps
from worker.ended import Parent
from worker.expansion import expanded
from worker.fitting import MAX_MESSAGE_BYTES
from worker.handing_on import HandingOn, read_output
from worker.job import Job, parse_job
from worker.model import BlobFile, CodeBlob, InlineCode, InlineFile
from worker.result import CollectedFile, Result, Stream
from worker.shelf import Shelf

ATTEMPT = "results/b/p/attempts/1-0-a"


async def collected(blobs: MemoryBlobs, path: str, data: bytes) -> CollectedFile:
    blob = f"{ATTEMPT}/files/{path}"
    await blobs.create(blob, data)
    return CollectedFile(path=path, blob=blob, bytes=len(data))


async def sent(blobs: MemoryBlobs, result: Result, document: dict[str, Any]) -> list[Job]:
    """The jobs that a step makes, as their messages have them."""
    shelf = Shelf(blobs, 1)
    before = Parent(result, await read_output(shelf, result), "1-0-a")
    (made,) = expanded(steps(document), before, 1000)
    return [parse_job(body) for _, body in await HandingOn(shelf, result).messages(made.children)]


def inputs(blobs: MemoryBlobs) -> dict[str, bytes]:
    return {name: blob.data for name, blob in blobs.blobs.items() if name.startswith("inputs/")}


async def test_small_text_travels_in_the_message() -> None:
    blobs = MemoryBlobs()
    result = ended(files=(await collected(blobs, "a.csv", b"1,2\n"),), stdout=Stream(text="hi", bytes=2))
    template = {"code": {"from": "stdout"}, "files": [{"path": "in.csv", "from": "result/a.csv"}]}
    (job,) = await sent(blobs, result, step(job=template))
    assert (job.code, job.files) == (InlineCode(inline="hi"), (InlineFile(path="in.csv", inline="1,2\n"),))
    assert inputs(blobs) == {}


@pytest.mark.parametrize("data", [b"x" * 20_000, b"\xff\xfe"])
async def test_what_is_large_or_no_text_is_copied_to_the_inputs(data: bytes) -> None:
    blobs = MemoryBlobs()
    result = ended(files=(await collected(blobs, "a.bin", data),))
    template = {"code": CODE, "files": [{"path": "in", "from": "result/a.bin"}]}
    for _ in range(2):
        (job,) = await sent(blobs, result, step(job=template))
    (file,) = job.files
    assert isinstance(file, BlobFile)
    assert file.blob.startswith("inputs/b/p/chain/")
    assert inputs(blobs) == {file.blob: data}


async def test_code_whose_extension_means_something_keeps_it() -> None:
    blobs = MemoryBlobs()
    result = ended(files=(await collected(blobs, "made.mjs", b"await 1"),))
    (job,) = await sent(blobs, result, step(job={"code": {"from": "result/made.mjs"}}))
    assert isinstance(job.code, CodeBlob)
    assert job.code.blob.endswith(".mjs")


async def test_the_result_is_handed_on_as_a_document() -> None:
    (job,) = await sent(
        MemoryBlobs(), ended(exit_code=0), step(job={"code": CODE, "stdin": {"from": "result"}})
    )
    assert isinstance(job.stdin, str)
    assert (json.loads(job.stdin)["id"], json.loads(job.stdin)["exit_code"]) == ("p", 0)


async def test_what_a_fan_out_shares_is_copied_once_and_kept_out_of_its_messages() -> None:
    blobs = MemoryBlobs()
    result = ended(stdout=Stream(text=json.dumps(list(range(1000))), bytes=5000))
    template = {"code": {"inline": "x" * 30_000}, "args": ["${to_string(item)}"]}
    jobs = await sent(blobs, result, step(each="result.output", job=template))
    assert [job.args for job in jobs] == [(str(number),) for number in range(1000)]
    assert len({job.code for job in jobs}) == len(inputs(blobs)) == 1
    assert isinstance(jobs[0].code, CodeBlob)
    assert jobs[0].code.etag


async def test_an_output_that_is_gone_makes_a_job_that_says_so() -> None:
    blobs = MemoryBlobs()
    file = await collected(blobs, "a", b"1")
    del blobs.blobs[file.blob]
    template = {"code": CODE, "stdin": {"from": "result/a"}}
    (job,) = await sent(blobs, ended(files=(file,)), step(job=template))
    assert job.trigger
    assert job.trigger.refused
    assert job.trigger.refused.code == "input_missing"


async def test_a_job_that_fits_no_message_says_so() -> None:
    result = ended(stdout=Stream(text=json.dumps("x" * MAX_MESSAGE_BYTES), bytes=1))
    template = {"code": CODE, "env": {"A": "${result.output}"}}
    (job,) = await sent(MemoryBlobs(), result, step(job=template))
    assert job.trigger
    assert job.trigger.refused
    assert job.trigger.refused.code == "message_too_large"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("[1]\n", [1]),
        ("", None),
        ("hello", None),
        ('{"a": 1, "a": 2}', None),
        ("NaN", None),
        ("[" * 200, None),
    ],
)
async def test_output_that_is_json_has_a_value(text: str, value: object) -> None:
    output = await read_output(Shelf(MemoryBlobs(), 1), ended(stdout=Stream(text=text, bytes=len(text))))
    assert (output.text, output.value) == (text, value)


async def test_output_that_has_no_room_in_the_result_is_read_if_it_is_not_too_long() -> None:
    blobs = MemoryBlobs()
    whole = json.dumps(["x" * 300_000])
    await blobs.create(f"{ATTEMPT}/stdout", whole.encode())
    stdout = Stream(text=whole[:10], bytes=len(whole), truncated=True, blob=f"{ATTEMPT}/stdout")
    assert (await read_output(Shelf(blobs, 1), ended(stdout=stdout))).value == ["x" * 300_000]
    longer = stdout.model_copy(update={"bytes": 2 << 20})
    assert (await read_output(Shelf(blobs, 1), ended(stdout=longer))).value is None
    gone = stdout.model_copy(update={"blob": f"{ATTEMPT}/gone"})
    assert (await read_output(Shelf(blobs, 1), ended(stdout=gone))).value is None
