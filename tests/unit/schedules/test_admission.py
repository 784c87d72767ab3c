"""Which runs may start: not those that come too late, and beside another only if that is wanted."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.batch.fakes import Calls, MemoryBlobs, result
from tests.unit.schedules.fakes import Clock
from worker.admission import FORGOTTEN_AFTER, Admissions, Later, Refused
from worker.faults import InfrastructureFault
from worker.instants import written
from worker.trigger import Scheduled

if TYPE_CHECKING:
    from worker.inputs import Content

CLAIM = "results/b/_schedule/nightly.json"


class Runs:
    """Runs of one schedule, each planned a minute after the one before."""

    def __init__(self, policy: str, blobs: MemoryBlobs | None = None) -> None:
        self.clock, self.blobs, self.policy = Clock(), blobs or MemoryBlobs(), policy
        self.start = self.clock()
        self.admissions = Admissions(self.blobs, "results", self.clock)

    async def admit(self, number: int, **fields: Any) -> Refused | Later | None:  # noqa: ANN401 - Scheduled's
        planned = written(self.start + timedelta(minutes=number))
        scheduled = Scheduled.model_validate(
            {"name": "nightly", "planned_at": planned, "due_at": planned, "run": 1, "overlap": self.policy}
            | fields
        )
        return await self.admissions.admit("b", f"run{number}", scheduled, is_new=True)

    async def end(self, number: int) -> None:
        data = result(f"run{number}", "b").model_dump_json().encode()
        await self.blobs.create(f"results/b/run{number}/result.json", data)


async def test_where_any_number_may_run_nothing_is_written() -> None:
    runs = Runs("allow")
    assert [await runs.admit(1), await runs.admit(2)] == [None, None]
    assert runs.blobs.blobs == {}


async def test_a_run_is_skipped_while_the_one_before_goes_on_and_no_longer() -> None:
    runs = Runs("skip")
    assert await runs.admit(1) is None
    refused = await runs.admit(2)
    assert isinstance(refused, Refused)
    assert (refused.code, "run1" in refused.message) == ("overlap_skipped", True)
    assert await runs.admit(1) is None  # its message came again
    await runs.end(1)
    assert await runs.admit(3) is None


async def test_a_run_waits_for_its_turn() -> None:
    runs = Runs("queue")
    assert await runs.admit(1) is None
    assert isinstance(await runs.admit(2), Later)
    await runs.end(1)
    assert await runs.admit(2) is None


async def test_a_newer_run_ends_an_older_one_and_never_the_other_way_round() -> None:
    runs = Runs("replace")
    assert await runs.admit(2) is None
    assert await runs.admit(3) is None
    assert "results/_cancelled/b/run2" in runs.blobs.blobs
    assert isinstance(await runs.admit(2), Refused)
    assert isinstance(await runs.admit(1), Refused)
    assert "results/_cancelled/b/run3" not in runs.blobs.blobs


@pytest.mark.parametrize("policy", ["skip", "queue"])
async def test_of_many_that_come_at_once_one_is_admitted(policy: str) -> None:
    runs = Runs(policy)
    answers = await asyncio.gather(*(runs.admit(number) for number in range(8)))
    assert answers.count(None) == 1


class Racing(MemoryBlobs):
    """Another run is admitted between a look at the claim and its change."""

    def __init__(self) -> None:
        super().__init__()
        self.other: Runs | None = None

    async def read(self, blob: str, *, limit: int, etag: str | None = None) -> Content:
        other, self.other = self.other, None
        try:
            return await super().read(blob, limit=limit, etag=etag)
        finally:
            if other:
                await other.admit(7)


@pytest.mark.parametrize("ended", [False, True])
async def test_who_comes_second_to_change_the_claim_looks_again(*, ended: bool) -> None:
    blobs = Racing()
    runs, other = Runs("skip", blobs), Runs("skip", blobs)
    if ended:
        await runs.admit(0)
        await runs.end(0)
    blobs.other = other
    assert isinstance(await runs.admit(1), Refused)


@pytest.mark.parametrize("writes", range(3))
async def test_a_crash_before_any_write_leaves_what_the_next_delivery_completes(writes: int) -> None:
    calls = Calls()
    runs = Runs("replace", MemoryBlobs(calls))
    await runs.admit(1)
    calls.last = calls.made + writes
    try:
        await runs.admit(2)
    except InfrastructureFault:
        calls.last = None
    calls.last = None
    assert await runs.admit(2) is None
    assert "results/_cancelled/b/run1" in runs.blobs.blobs
    assert isinstance(await runs.admit(1), Refused)


async def test_a_run_without_a_sign_of_life_is_forgotten_in_the_end() -> None:
    runs = Runs("skip")
    await runs.admit(1)
    runs.clock.now += FORGOTTEN_AFTER - timedelta(minutes=1)
    assert isinstance(await runs.admit(400), Refused)
    await runs.admit(1, manual="trigger")
    runs.clock.now += timedelta(minutes=2)
    assert isinstance(await runs.admit(401), Refused)
    runs.clock.now += FORGOTTEN_AFTER
    assert await runs.admit(800) is None


@pytest.mark.parametrize("data", [b"", b"{", b'{"id": "../x"}', b"\xff", b"[]"])
async def test_a_claim_that_cannot_be_read_is_written_over(data: bytes) -> None:
    runs = Runs("skip")
    await runs.blobs.create(CLAIM, data)
    assert await runs.admit(1) is None
    assert isinstance(await runs.admit(2), Refused)


@pytest.mark.parametrize(
    ("late", "fields", "refused"),
    [
        (600, {}, False),
        (601, {"misfire": "skip"}, True),
        (601, {"misfire": "skip", "manual": "backfill"}, False),
        (601, {"misfire": "run_once", "next_at": "2026-03-02T12:10:02Z"}, False),
        (601, {"misfire": "run_once", "next_at": "2026-03-02T12:10:01Z"}, True),
        (601, {"misfire": "run_once"}, False),
        (601, {"misfire": "skip", "due_at": "2026-03-02T12:05:00Z"}, False),
    ],
)
async def test_a_run_that_comes_too_late_is_refused_unless_it_is_the_last_one(
    late: int, fields: dict[str, Any], *, refused: bool
) -> None:
    runs = Runs("allow")
    runs.clock.advance(seconds=late)
    answer = await runs.admit(0, misfire_window_seconds=600, **fields)
    assert isinstance(answer, Refused) == refused
    if isinstance(answer, Refused):
        assert answer == Refused("misfire_skipped", "came 601 s late; at most 600 s are allowed")
