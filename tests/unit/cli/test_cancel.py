from __future__ import annotations

import pytest

from tests.unit.batch.fakes import MemoryBlobs, result
from worker.batch import BatchError, Entry, Folder, register
from worker.calling_off import call_off
from worker.cli.cancel import said

FOLDER = Folder("results", "hw1")


async def batch(*ids: str, ended: tuple[str, ...] = ()) -> MemoryBlobs:
    blobs = MemoryBlobs()
    await register(blobs, FOLDER, [Entry(job_id, "0") for job_id in ids])
    for job_id in ended:
        await blobs.create(FOLDER.result(job_id), result(job_id).model_dump_json().encode())
    return blobs


async def test_a_batch_is_marked_and_its_jobs_without_a_result_are_counted() -> None:
    blobs = await batch("a", "b", "c", ended=("b",))
    assert await call_off(blobs, FOLDER, None, force=False) == ["a", "c"]
    assert "results/_cancelled/hw1" in blobs.blobs
    assert "2 jobs have no result yet and will end as cancelled" in said("hw1", None, ["a", "c"])


async def test_cancelling_again_changes_nothing() -> None:
    blobs = await batch("a")
    await call_off(blobs, FOLDER, "a", force=False)
    before = dict(blobs.blobs)
    assert await call_off(blobs, FOLDER, "a", force=False) == ["a"]
    assert blobs.blobs == before


async def test_one_job_is_marked_and_no_other() -> None:
    blobs = await batch("a", "b")
    assert await call_off(blobs, FOLDER, "a", force=False) == ["a"]
    assert [blob for blob in blobs.blobs if "_cancelled" in blob] == ["results/_cancelled/hw1/a"]


async def test_of_what_has_ended_it_is_said() -> None:
    blobs = await batch("a", ended=("a",))
    assert await call_off(blobs, FOLDER, "a", force=False) == []
    assert said("hw1", "a", []) == "hw1/a: there is nothing to cancel, it has ended already"
    assert said("hw1", None, []) == "hw1: there is nothing to cancel, all jobs have ended already"


@pytest.mark.parametrize(("job_id", "says"), [(None, "no batch 'hw1'"), ("a", "no batch 'hw1'")])
async def test_an_unknown_batch_is_an_error_and_is_not_marked(job_id: str | None, says: str) -> None:
    blobs = MemoryBlobs()
    with pytest.raises(BatchError, match=rf"{says}.*--force"):
        await call_off(blobs, FOLDER, job_id, force=False)
    assert blobs.blobs == {}


async def test_an_unknown_job_is_an_error_and_is_not_marked() -> None:
    blobs = await batch("a")
    with pytest.raises(BatchError, match=r"no job 'x'.*--force"):
        await call_off(blobs, FOLDER, "x", force=False)
    assert not [blob for blob in blobs.blobs if "_cancelled" in blob]


async def test_what_comes_from_elsewhere_is_cancelled_by_force() -> None:
    blobs = MemoryBlobs()
    assert await call_off(blobs, FOLDER, None, force=True) is None
    assert await call_off(blobs, FOLDER, "x", force=True) == ["x"]
    assert sorted(blobs.blobs) == ["results/_cancelled/hw1", "results/_cancelled/hw1/x"]
    assert said("hw1", None, None).startswith("hw1: cancelled; what has no result yet will end")
