"""Fair shares by batch: a small batch behind a large one does not wait for all of it, at a bounded price."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.delivery import Delivery
from worker.faults import InfrastructureFault
from worker.scout import Scout
from worker.seen import Seen
from worker.settlement import History
from worker.shares import MOST_YIELDS, Line, Shares

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from structlog.typing import EventDict

JOB_SECONDS = 2.0
YIELD_SECONDS = 0.02
PAGE_SECONDS = 0.01
PAGE = 32


@dataclass(frozen=True)
class Message:
    number: int
    name: str
    batch: str
    history: History


class Site:
    """A queue in its order and a worker; virtual time passes for all that they do."""

    def __init__(self, sessions: int, beyond: int, look_ahead: int = 20_000) -> None:
        self.shares = Shares(look_ahead, lambda: sessions, beyond)
        self.slots, self._sessions = sessions + beyond, asyncio.Semaphore(sessions)
        self.queue: deque[Message] = deque()
        self.results = Counter[str]()
        self.ended_at: dict[str, float] = {}
        self.yields = Counter[str]()
        self.peeked = Counter[int]()
        self.idle_seconds = 0.0
        self._number = 0

    def send(self, batch: str, count: int) -> None:
        for index in range(count):
            self._put(f"{batch}/{index}", batch, History())

    def _put(self, name: str, batch: str, history: History) -> None:
        self._number += 1
        self.queue.append(Message(self._number, name, batch, history))

    async def messages(self, *, start: int = 1, most: int | None = None) -> AsyncGenerator[Seen]:
        """As the adapter does: a page at a time, of what is there at that moment."""
        for _ in range(0, most or 1, PAGE):
            await asyncio.sleep(PAGE_SECONDS)
            page = self._from(start)
            if not page:
                return
            for message in page:
                self.peeked[message.number] += 1
                body = b'{"id": "x", "batch": "%s"}' % message.batch.encode()
                yield Seen(message.number, message.name, body=body)
            start = page[-1].number + 1

    def _from(self, start: int) -> list[Message]:
        offset = max(0, start - self.queue[0].number) if self.queue else 0
        found = [self.queue[index] for index in range(offset, min(len(self.queue), offset + PAGE))]
        return [message for message in found if message.number >= start]

    async def work(self) -> None:
        scout = asyncio.create_task(Scout(self, "", self.shares).run())
        await asyncio.gather(*(self._slot() for _ in range(self.slots)))
        scout.cancel()
        await asyncio.wait({scout})

    async def _slot(self) -> None:
        while self.queue:
            message = self.queue.popleft()
            delivery = Delivery(b"", message.name, message.number, 0, message.history)
            if self.shares.gives_way(delivery, message.batch):
                self.yields[message.batch] += 1
                await asyncio.sleep(YIELD_SECONDS)
                self._put(message.name, message.batch, message.history.after_yield())
                continue
            with self.shares.held(delivery, message.batch):
                async with self._sessions:
                    await asyncio.sleep(JOB_SECONDS)
            self.results[message.name] += 1
            self.ended_at[message.batch] = now()

    def check(self, count: int) -> None:
        """Every job has one result, and the price was bounded."""
        assert len(self.results) == count
        assert set(self.results.values()) == {1}
        assert self.yields.total() <= MOST_YIELDS * count
        assert set(self.peeked.values()) <= {1}, "each message is looked at once"


def now() -> float:
    return asyncio.get_running_loop().time()


@pytest.mark.parametrize(("sessions", "beyond"), [(2, 2), (30, 10)], ids=["4 slots", "40 slots"])
async def test_ten_jobs_behind_ten_thousand_end_in_a_small_multiple_of_their_fair_time(
    sessions: int, beyond: int
) -> None:
    site = Site(sessions, beyond)
    site.send("large", 10_000)
    site.send("small", 10)
    await site.work()
    site.check(10_010)
    fair = JOB_SECONDS * 10 / (sessions / 2)
    passing = 10_000 * YIELD_SECONDS / beyond
    looking = 313 * PAGE_SECONDS + 3
    assert site.ended_at["small"] < looking + passing + 3 * max(fair, JOB_SECONDS)
    assert site.ended_at["small"] < site.ended_at["large"] / (50 if sessions == 2 else 20)
    assert site.yields["large"] <= 10_000
    assert site.yields["small"] == 0
    least = 10_010 * JOB_SECONDS / sessions
    assert site.ended_at["large"] < 1.01 * least + 10, "the sessions were never idle for it"


async def test_many_equal_batches_do_not_let_each_other_pass(quiet: list[EventDict]) -> None:
    site = Site(4, 4)
    for number in range(40):
        site.send(f"b{number}", 25)
    await site.work()
    site.check(1000)
    assert site.yields.total() == 0
    assert quiet == []


async def test_one_batch_alone_never_gives_way_and_is_looked_at_no_farther_than_the_look_ahead() -> None:
    site = Site(4, 4, look_ahead=500)
    site.send("only", 3000)
    task = asyncio.create_task(site.work())
    for _ in range(20):
        await asyncio.sleep(60)
        assert max(site.peeked, default=0) <= site.shares.line("").head + 500 + PAGE
    await task
    site.check(3000)
    assert site.yields.total() == 0


async def test_without_a_look_ahead_nobody_looks_and_nobody_gives_way() -> None:
    site = Site(4, 4, look_ahead=0)
    site.send("large", 1000)
    site.send("small", 1)
    await site.work()
    site.check(1001)
    assert (site.yields.total(), site.peeked.total()) == (0, 0)


async def test_batches_behind_a_large_one_are_served_in_the_order_of_their_sizes(
    quiet: list[EventDict],
) -> None:
    site = Site(4, 4)
    for batch, count in (("large", 4000), ("middle", 1000), ("small", 20)):
        site.send(batch, count)
    await site.work()
    site.check(5020)
    assert sorted(site.ended_at, key=site.ended_at.__getitem__) == ["small", "middle", "large"]
    assert site.ended_at["middle"] < 1100 * JOB_SECONDS / 4 + 90
    assert {event["event"] for event in quiet} == {"batch_gives_way"}
    assert len(quiet) <= 6


async def test_small_batches_that_come_again_and_again_move_no_message_more_than_thrice() -> None:
    site = Site(4, 4)
    site.send("large", 2000)
    task = asyncio.create_task(site.work())
    for number in range(10):
        await asyncio.sleep(30)
        site.send(f"small{number}", 3)
    await task
    site.check(2030)
    assert site.yields.total() <= MOST_YIELDS * 2000
    waits = [site.ended_at[f"small{number}"] - 30 * (number + 1) for number in range(10)]
    assert sorted(waits)[2] < 60, "while messages of the large batch may still be moved"


@pytest.mark.parametrize(("sessions", "beyond"), [(1, 0), (1, 1), (2, 0), (3, 0)], ids=str)
async def test_few_slots_are_fair_too(sessions: int, beyond: int) -> None:
    site = Site(sessions, beyond)
    site.send("large", 1000)
    site.send("small", 2)
    await site.work()
    site.check(1002)
    assert site.ended_at["small"] < 60


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(1, 60)), min_size=1, max_size=12),
    st.integers(1, 5),
    st.integers(0, 4),
    st.integers(0, 300),
)
async def test_whatever_waits_each_job_has_one_result_and_is_moved_thrice_at_most(
    sent: list[tuple[str, int]], sessions: int, beyond: int, look_ahead: int
) -> None:
    site = Site(sessions, beyond, look_ahead)
    for index, (batch, count) in enumerate(sent):
        site.send(f"{batch}{index if index % 2 else ''}", count)
    total = len(site.queue)
    await site.work()
    assert sum(site.results.values()) == total
    assert site.yields.total() <= MOST_YIELDS * total
    assert not site.shares.line("").in_hand
    assert not site.shares.line("")._waiting


def known(**waiting: int) -> tuple[Shares, Callable[[int, str, int, int], bool]]:
    """A worker of two sessions with two of the large batch in hand, which has seen these behind number 2."""
    shares = Shares(1000, lambda: 2, 2)
    line = shares.line("")
    line.in_hand.update(large=2)
    line.head, number = 2, line.begin_look() + 2
    for batch, count in waiting.items():
        for _ in range(count):
            line.saw(number, batch, is_waiting=True)
            number += 1
    line.end_look()

    def gives_way(number: int, batch: str, delivery_count: int, yields: int) -> bool:
        history = History(copies=yields, yields=yields)
        return shares.gives_way(Delivery(b"", "m", number, delivery_count, history), batch)

    return shares, gives_way


async def test_a_message_that_was_delivered_before_or_has_given_way_enough_is_run() -> None:
    _, gives_way = known(large=100, small=1)
    assert gives_way(3, "large", 0, 0)
    assert gives_way(4, "large", 0, MOST_YIELDS - 1)
    assert not gives_way(5, "large", 0, MOST_YIELDS)
    assert not gives_way(6, "large", 1, 0)


async def test_nothing_gives_way_while_a_session_would_be_idle_or_to_what_is_in_front_of_it() -> None:
    shares, gives_way = known(small=1, large=100)
    assert gives_way(2, "large", 0, 0)
    shares.line("").in_hand["large"] = 1
    assert not gives_way(2, "large", 0, 0)
    shares.line("").in_hand["large"] = 2
    assert not gives_way(50, "large", 0, 0), "the small one was before it, and is with others by now"


async def test_a_batch_gives_way_to_one_half_its_size_at_most_and_never_to_a_larger_one() -> None:
    for others, expected in ((49, True), (52, False), (200, False)):
        _, gives_way = known(large=100, other=others)
        assert gives_way(3, "large", 0, 0) is expected


def test_what_is_known_is_forgotten_when_the_queue_has_passed_it() -> None:
    line = Line()
    for look in range(200):
        line.begin_look()
        for number in range(look * 100 + 1, look * 100 + 101):
            line.saw(number, f"b{number}", is_waiting=number % 3 > 0)
        line.end_look()
        line.received(look * 100 + 95, "elsewhere")
        assert len(line._waiting) <= 5
        assert len(line._ends) <= 5


async def test_a_look_that_fails_is_told_once_and_begins_anew(quiet: list[EventDict]) -> None:
    class Broken(Site):
        async def messages(self, *, start: int = 1, most: int | None = None) -> AsyncGenerator[Seen]:
            async for message in super().messages(start=start, most=most):
                if now() < 100 and message.sequence_number > 100:
                    raise InfrastructureFault("gone")
                yield message

    site = Broken(2, 2)
    site.send("large", 500)
    site.send("small", 1)
    await site.work()
    assert site.results.total() == 501
    assert [event["event"] for event in quiet] == ["look_ahead_failed", "batch_gives_way"]


async def test_a_copy_that_gave_way_counts_as_seen_before_and_does_not_lengthen_the_backoff() -> None:
    history = replace(History(), attempts=1, copies=1, reasons=("lost",)).after_yield().after_yield()
    assert (history.copies, history.yields, history.waits, history.attempts) == (3, 2, 1, 1)
    assert history.reasons == ("lost",)
    assert Delivery(b"", "m", 1, 0, History().after_yield()).redelivered
