from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.unit.batch.fakes import MemoryBlobs
from worker.batch import Folder
from worker.watching import LATEST_SECONDS, Pace, Progress, follow

if TYPE_CHECKING:
    from collections.abc import Sequence

FOLDER = Folder("results", "hw1")


def line(job_id: str, status: str = "succeeded", **more: str) -> bytes:
    return json.dumps({"id": job_id, "status": status, **more}).encode() + b"\n"


class Worker:
    """Appends the next piece of a record at each pause."""

    def __init__(self, blobs: MemoryBlobs, pieces: Sequence[tuple[str, bytes]]) -> None:
        self._blobs, self._pieces = blobs, list(pieces)
        self.pauses: list[float] = []

    async def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        if self._pieces:
            blob, data = self._pieces.pop(0)
            await self._blobs.append(f"results/hw1/{blob}", data)


def test_the_first_of_several_lines_for_a_job_counts() -> None:
    progress = Progress(["a", "b"])
    assert progress.take(line("a", "failed", verdict="wrong_answer"))
    assert not progress.take(line("a"))
    assert not progress.take(line("of another submission"))
    assert (progress.done, progress.total) == (1, 2)
    assert progress.statuses == {"failed": 1}
    assert progress.verdicts == {"wrong_answer": 1}


async def test_a_batch_that_was_cancelled_is_complete_when_all_have_a_result() -> None:
    blobs = MemoryBlobs()
    record = "_batch/progress-00000.jsonl"
    worker = Worker(blobs, [(record, line("a")), (record, line("b", "cancelled") + line("c", "cancelled"))])
    looks = [dict(progress.statuses) async for progress in follow(blobs, FOLDER, "abc", worker.pause)]
    assert looks[-1] == {"succeeded": 1, "cancelled": 2}


async def test_a_batch_is_followed_through_all_its_records_until_it_is_complete() -> None:
    blobs = MemoryBlobs()
    first, second = "_batch/progress-00000.jsonl", "_batch/progress-00001.jsonl"
    worker = Worker(
        blobs, [(first, line("a")), (first, line("b")[:9]), (first, line("b")[9:]), (second, line("c"))]
    )
    done = [progress.done async for progress in follow(blobs, FOLDER, "abc", worker.pause)]
    assert done == [0, 1, 1, 2, 3]


async def test_it_looks_less_often_while_nothing_happens() -> None:
    blobs = MemoryBlobs()
    record = "_batch/progress-00000.jsonl"
    worker = Worker(blobs, [(record, b"")] * 9 + [(record, line("a"))])
    async for _ in follow(blobs, FOLDER, ["a"], worker.pause):
        pass
    assert worker.pauses == sorted(worker.pauses)
    assert worker.pauses[-1] == LATEST_SECONDS


async def test_a_result_whose_line_was_lost_is_found() -> None:
    blobs = MemoryBlobs()
    await blobs.create(FOLDER.result("a"), line("a", "failed"))
    worker = Worker(blobs, [])
    looks = [progress.statuses async for progress in follow(blobs, FOLDER, ["a"], worker.pause)]
    assert looks[-1] == {"failed": 1}


def test_the_pace_is_that_of_the_last_half_minute() -> None:
    pace = Pace()
    pace.saw(0.0, 0)
    assert pace.seconds_left(100) is None
    pace.saw(100.0, 0)
    pace.saw(110.0, 20)
    assert pace.rate == 2.0
    assert pace.seconds_left(100) == 40.0
