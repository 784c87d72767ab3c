"""A line for each finished job, many of them in one append, at least once each."""

import asyncio

import pytest

from tests.unit.core.calls import Calls
from tests.unit.core.fake_blobs import Account, FakeBlobs
from worker.faults import InfrastructureFault
from worker.progress import Progress

FIRST, SECOND = (f"results/b/_batch/progress-0000{number}.jsonl" for number in range(2))
pytestmark = pytest.mark.usefixtures("alone")


class Store:
    def __init__(self, account: Account | None = None) -> None:
        self.account, self.calls = account or Account(), Calls()
        self.progress = Progress(FakeBlobs(self.account, self.calls), "results")

    def lines(self, blob: str = FIRST) -> list[bytes]:
        return self.account.find(blob).data.splitlines()


async def test_lines_that_come_together_share_an_append() -> None:
    store = Store()
    await asyncio.gather(*(store.progress.add("b", b"%d\n" % number) for number in range(100)))
    assert store.lines() == [b"%d" % number for number in range(100)]
    assert len(store.calls.made) <= 2


async def test_what_comes_while_an_append_is_under_way_shares_the_next() -> None:
    store = Store()
    first = asyncio.create_task(store.progress.add("b", b"first\n"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert store.calls.made == ["append"]
    rest = [asyncio.create_task(store.progress.add("b", b"later\n")) for _ in range(5)]
    await asyncio.gather(first, *rest)
    assert store.calls.made == ["append", "append"]
    assert store.lines() == [b"first"] + [b"later"] * 5


async def test_a_line_is_stored_when_its_wait_ends() -> None:
    store = Store()
    for number in range(5):
        await store.progress.add("b", b"%d\n" % number)
        assert store.lines()[-1] == b"%d" % number


async def test_batches_do_not_wait_for_each_other() -> None:
    store = Store()
    store.calls.hang("append")
    stuck = asyncio.create_task(store.progress.add("stuck", b"1\n"))
    await asyncio.sleep(0)
    await asyncio.wait_for(store.progress.add("b", b"1\n"), 1)
    stuck.cancel()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


async def test_a_full_blob_is_followed_by_the_next() -> None:
    account = Account(max_appends=2)
    store = Store(account)
    for number in range(3):
        await store.progress.add("b", b"%d\n" % number)
    assert (store.lines(FIRST), store.lines(SECOND)) == ([b"0", b"1"], [b"2"])
    await Store(account).progress.add("b", b"3\n")
    assert store.lines(SECOND) == [b"2", b"3"]


async def test_a_failure_reaches_all_that_wait_for_it_and_none_after() -> None:
    store = Store()
    store.calls.fail("append", InfrastructureFault("gone"))
    adding = [store.progress.add("b", b"%d\n" % number) for number in range(3)]
    outcomes = await asyncio.gather(*adding, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [InfrastructureFault] * 3
    await store.progress.add("b", b"after\n")
    assert store.lines() == [b"after"]


async def test_who_is_cancelled_does_not_take_the_others_line_away() -> None:
    store = Store()
    first, second = (asyncio.create_task(store.progress.add("b", line)) for line in (b"1\n", b"2\n"))
    await asyncio.sleep(0)
    first.cancel()
    await second
    assert b"2" in store.lines()
