"""All of a fan-out have ended: somebody notices, in any order and whoever dies, and makes the same job."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.batch.fakes import MemoryBlobs
from tests.unit.chains.parents import CODE, ended, step, steps
from worker.chains import Chains
from worker.job import parse_job
from worker.result import Result, Stream
from worker.shelf import Shelf
from worker.trigger import StepTrigger

if TYPE_CHECKING:
    from collections.abc import Sequence

JOIN = {
    "code": CODE,
    "args": ["${to_string(results[*].status)}"],
    "files": [{"path": "all", "from": "results"}],
}


class Killed(BaseException):
    """The process is gone."""


class Interleaved(MemoryBlobs):
    """Lets others go on at each call, and can end a process before or after a call has its effect."""

    def __init__(self) -> None:
        super().__init__()
        self.until_kill: dict[asyncio.Task[Any] | None, int] = {}

    async def step(self) -> None:
        await asyncio.sleep(0)
        task = asyncio.current_task()
        left = self.until_kill.get(task)
        if left is not None:
            self.until_kill[task] = left - 1
            if left == 0:
                raise Killed

    async def read(self, blob: str, *, limit: int, etag: str | None = None) -> Any:  # noqa: ANN401 - as the fake has it
        await self.step()
        found = await super().read(blob, limit=limit, etag=etag)
        await self.step()
        return found

    async def append(self, blob: str, data: bytes) -> bool:
        await self.step()
        taken = await super().append(blob, data)
        await self.step()
        return taken


class Fleet:
    """A fan-out whose jobs end; ``sent`` are the messages of its join, by their ids."""

    def __init__(self, width: int) -> None:
        self.blobs, self.width = Interleaved(), width
        self.chains = Chains(Shelf(self.blobs, 1), "results", 1000)
        self.sent: list[tuple[str, bytes]] = []
        self.made_by: list[StepTrigger] = []

    async def begin(self) -> Result:
        text = json.dumps(list(range(self.width)))
        result = ended(stdout=Stream(text=text, bytes=len(text)))
        wanted = steps(step("each", each="result.output", join=JOIN))
        planned = await self.chains.planned(wanted, result, "1-0-a")
        await self.commit(planned.result)
        for _, body in planned.messages:
            job = parse_job(body)
            assert job.trigger
            assert job.trigger.step
            self.made_by.append(job.trigger.step)
        return planned.result

    async def commit(self, result: Result) -> None:
        await self.blobs.create(
            f"results/{result.batch}/{result.id}/result.json", result.model_dump_json().encode()
        )

    async def end(self, index: int, **fields: Any) -> None:  # noqa: ANN401 - Result's
        """A job of the fan-out is committed, but its end not recorded yet."""
        await self.commit(ended(f"p.each.{index}", **fields))

    async def conclude(self, index: int, killed_at: int | None = None) -> None:
        """A worker records the end; one that is killed is followed by another, since the message stays."""
        if killed_at is not None:
            task = asyncio.ensure_future(self.chains.concluded(self.made_by[index]))
            self.blobs.until_kill[task] = killed_at
            try:
                self.sent += await task
            except Killed:
                pass
            else:
                return
        self.sent += await self.chains.concluded(self.made_by[index])

    def jobs(self) -> set[tuple[str, bytes]]:
        return set(self.sent)


async def played(width: int, order: Sequence[int], kills: Sequence[int | None], together: int) -> Fleet:
    fleet = Fleet(width)
    await fleet.begin()
    for index in range(width):
        await fleet.end(index)
    for start in range(0, width, together):
        group = order[start : start + together]
        await asyncio.gather(*(fleet.conclude(index, kills[index]) for index in group))
    return fleet


@given(
    st.integers(1, 6).flatmap(
        lambda width: st.tuples(
            st.permutations(range(width)),
            st.lists(st.none() | st.integers(0, 12), min_size=width, max_size=width),
            st.integers(1, width),
        )
    )
)
@settings(deadline=None)
def test_whatever_the_order_and_whoever_dies_the_join_is_sent_and_is_one(
    played_so: tuple[list[int], list[int | None], int],
) -> None:
    order, kills, together = played_so
    fleet = asyncio.run(played(len(order), order, kills, together))
    assert len(fleet.sent) >= 1
    ((message_id, body),) = fleet.jobs()
    job = parse_job(body)
    assert (message_id, job.id) == ("b/p.each.join", "p.each.join")


async def test_the_join_waits_for_the_last_and_is_given_all_of_them_in_order() -> None:
    fleet = Fleet(3)
    await fleet.begin()
    for index, status in ((2, "cancelled"), (0, "rejected"), (1, "succeeded")):
        assert fleet.sent == []
        await fleet.end(index, status=status, stdout=Stream(text=f"{index}", bytes=1))
        await fleet.conclude(index)
    ((_, body),) = fleet.jobs()
    job = parse_job(body)
    assert job.args == ('["rejected","succeeded","cancelled"]',)
    given_all = job.model_dump()["files"][0]["inline"]
    assert [(one["id"], one["output"]) for one in json.loads(given_all)] == [
        (f"p.each.{n}", n) for n in range(3)
    ]


async def test_an_end_that_is_recorded_twice_counts_once() -> None:
    fleet = Fleet(2)
    await fleet.begin()
    await fleet.end(0)
    for _ in range(3):
        await fleet.conclude(0)
    assert fleet.sent == []


async def test_lines_that_no_job_has_written_do_not_count() -> None:
    fleet = Fleet(2)
    result = await fleet.begin()
    fan_in = (result.then[0].fan_in or "").removesuffix(".json")
    await fleet.blobs.append(f"results/{fan_in}.ended.jsonl", b"0\n1\nx\n\xff\n99999999999999999999")
    await fleet.end(0)
    await fleet.conclude(0)
    assert fleet.sent == []
    await fleet.end(1)
    await fleet.conclude(1)
    assert len(fleet.sent) == 1


@pytest.mark.parametrize(
    "made_up",
    [
        StepTrigger(parent="b/p", root="b/p", step="each", index=0, of=1, fan_in="1-0-a"),
        StepTrigger(parent="b/p", root="b/p", step="other", index=0, of=1, fan_in="1-0-a"),
        StepTrigger(parent="b/p", root="b/p", step="each", index=0),
    ],
)
async def test_a_job_that_somebody_made_up_starts_nothing(made_up: StepTrigger) -> None:
    fleet = Fleet(2)
    await fleet.begin()
    assert await fleet.chains.concluded(made_up) == ()


async def test_outputs_that_are_too_much_for_one_job_are_told() -> None:
    fleet = Fleet(17)
    await fleet.begin()
    for index in range(17):
        await fleet.end(index, stdout=Stream(text=json.dumps("x" * 1_040_000), bytes=1))
        await fleet.conclude(index)
    ((_, body),) = fleet.jobs()
    refused = json.loads(body)["trigger"]["refused"]
    assert (refused["code"], json.loads(body)["id"]) == ("results_too_large", "p.each.join")


async def test_a_thousand_ends_are_read_in_kilobytes() -> None:
    fleet = Fleet(1000)
    result = await fleet.begin()
    for index in range(1000):
        await fleet.end(index)
    for made_by in fleet.made_by:
        fleet.sent += await fleet.chains.concluded(made_by)
    ended_lines = f"results/{(result.then[0].fan_in or '').removesuffix('.json')}.ended.jsonl"
    assert len(fleet.blobs.blobs[ended_lines].data) < 5000
    assert len(fleet.sent) == 1
