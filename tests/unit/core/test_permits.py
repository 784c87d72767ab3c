"""Permits bound the sessions; those that wait are served in their order."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from tests.unit.core.virtual_time import VirtualLoop
from worker.permits import SHARED, Permit, Permits

SIZE = 3
INDEXES = st.integers(0, 4)
T = TypeVar("T")
alone = pytest.mark.usefixtures("alone")


async def taking(permits: Permits, owner: str | None = None) -> asyncio.Task[Permit]:
    task = asyncio.create_task(permits.take(owner))
    await asyncio.sleep(0)
    return task


@alone
async def test_those_that_wait_are_served_in_their_order() -> None:
    permits = Permits(1)
    permit = await permits.take()
    first, second = await taking(permits), await taking(permits)
    for waiting in (first, second):
        permits.give_back(permit)
        permit = await waiting
    assert second.done()
    permits.give_back(permit)


@alone
async def test_who_is_cancelled_while_waiting_gives_way_to_the_next() -> None:
    permits = Permits(1)
    permit = await permits.take()
    first, second = await taking(permits), await taking(permits)
    first.cancel()
    permits.give_back(permit)
    permits.give_back(await second)


@alone
async def test_who_is_cancelled_just_when_served_passes_the_permit_on() -> None:
    permits = Permits(1)
    permit = await permits.take()
    first, second = await taking(permits), await taking(permits)
    permits.give_back(permit)
    first.cancel()
    permits.give_back(await second)
    with pytest.raises(asyncio.CancelledError):
        await first
    assert not permits._in_use


@alone
async def test_the_jobs_of_one_key_run_one_after_another_in_the_session_of_the_key() -> None:
    permits = Permits(2)
    permit = await permits.take("key")
    permit.session, permit.owner = "s", "key"
    waiting = await taking(permits, "key")
    other = await permits.take("other")
    assert not waiting.done()
    permits.give_back(permit)
    assert await waiting is permit
    permits.give_back(permit)
    permits.give_back(other)


@alone
async def test_a_key_that_waits_does_not_hold_up_others() -> None:
    permits = Permits(2)
    mine = await permits.take("key")
    waiting = await taking(permits, "key")
    for owner in (None, SHARED, "other"):
        permits.give_back(await permits.take(owner))
    assert not waiting.done()
    permits.give_back(mine)
    permits.give_back(await waiting)


@alone
async def test_a_permit_without_a_session_is_taken_before_that_of_another_owner() -> None:
    permits = Permits(2)
    kept, empty = await permits.take("a"), await permits.take()
    kept.session, kept.owner = "s", "a"
    permits.give_back(kept)
    permits.give_back(empty)
    for owner in ("b", None, SHARED):
        taken = await permits.take(owner)
        assert taken is empty
        permits.give_back(taken)
    assert permits.take_kept() == [kept]
    assert permits.take_kept() == []


@alone
async def test_a_permit_that_comes_into_circulation_serves_who_waits() -> None:
    permits = Permits()
    waiting = await taking(permits)
    assert (permits.waiting, permits.held, permits.wanted.is_set()) == (1, 0, True)
    assert permits.add(7)
    assert (await waiting).index == 7
    assert (permits.waiting, permits.in_use, permits.held) == (0, 1, 1)
    permits.give_back(await waiting)


@alone
async def test_only_a_free_permit_without_a_session_retires() -> None:
    permits = Permits(3)
    used, kept = await permits.take(), await permits.take("key")
    kept.session, kept.owner = "s", "key"
    permits.give_back(kept)
    assert [permits.retire(index) for index in (used.index, kept.index, 2, 2, 9)] == [
        False,
        False,
        True,
        False,
        False,
    ]
    assert permits.held == 2
    permits.give_back(used)


@alone
async def test_a_free_permit_that_is_lost_vanishes_with_the_session_it_keeps() -> None:
    permits = Permits(1)
    permit = await permits.take("key")
    permit.session, permit.owner = "s", "key"
    permits.give_back(permit)
    permits.lose(0)
    assert permits.held == 0
    assert permits.take_kept() == []
    assert permit.lost.done()


@alone
async def test_a_permit_that_is_lost_in_use_is_told_and_does_not_return() -> None:
    permits = Permits(1)
    permit = await permits.take()
    assert not permit.lost.done()
    permits.lose(0)
    permits.lose(0)
    assert permit.lost.done()
    assert (permits.in_use, permits.held) == (0, 0)
    permits.give_back(permit)
    assert permits.held == 0


@alone
async def test_a_lost_permit_returns_only_after_its_user_has_let_go_of_it() -> None:
    permits = Permits(1)
    permit = await permits.take()
    permits.lose(0)
    assert permits.knows(0)
    assert not permits.add(0)
    permits.give_back(permit)
    assert not permits.knows(0)
    assert permits.add(0)
    again = await permits.take()
    assert not again.lost.done()
    permits.give_back(again)


@alone
async def test_a_permit_lost_in_the_moment_it_is_handed_over_is_given_to_nobody() -> None:
    permits = Permits(1)
    permit = await permits.take()
    waiting = await taking(permits)
    permits.give_back(permit)
    permits.lose(0)
    await asyncio.sleep(0)
    assert not waiting.done()
    assert permits.add(0)
    permits.give_back(await waiting)


@alone
async def test_a_key_whose_lost_permit_comes_back_runs_its_next_job_elsewhere() -> None:
    permits = Permits(2)
    permit = await permits.take("key")
    waiting = await taking(permits, "key")
    permits.lose(permit.index)
    assert not waiting.done()
    permits.give_back(permit)
    assert (await waiting).index != permit.index
    permits.give_back(await waiting)


@alone
async def test_one_that_waits_for_its_key_or_for_the_pool_is_not_served_by_more_permits() -> None:
    permits = Permits(1)
    permit = await permits.take("key")
    waiting = [await taking(permits, owner) for owner in ("key", "other", "other", SHARED, None)]
    assert permits.waiting == 3
    permits.was_full()
    assert permits.waiting == 0
    permits.worked()
    assert permits.waiting == 3
    for task in waiting:
        task.cancel()
    permits.give_back(permit)


@alone
async def test_the_permit_used_last_is_taken_first_and_the_others_grow_idle() -> None:
    permits = Permits(3)
    for _ in range(20):
        permit = await permits.take()
        await asyncio.sleep(1)
        permits.give_back(permit)
    assert sorted(permits.idle(15)) == [1, 2]
    assert permits.idle(25) == []


@alone
async def test_of_the_sessions_of_others_the_one_kept_longest_goes() -> None:
    permits = Permits(3)
    for owner in ("a", "b", "c"):
        permit = await permits.take(owner)
        permit.session, permit.owner = "s", owner
        permits.give_back(permit)
    assert (await permits.take("d")).owner == "a"


@alone
async def test_a_full_pool_lowers_the_limit_once_a_second_and_never_below_one() -> None:
    permits = Permits(5)
    taken = [await permits.take() for _ in range(5)]
    limits = []
    for _ in range(3):
        permits.was_full()
        permits.give_back(taken.pop())
        permits.was_full()
        limits.append(permits.limit)
        await asyncio.sleep(1)
    assert limits == [4, 3, 2]
    permits.give_back(taken.pop())
    permits.was_full()
    assert permits.limit == 1
    permits.give_back(taken.pop())
    assert (await permits.take()).index is not None


@alone
async def test_after_a_full_pool_those_that_wait_are_served_as_it_gives_sessions_again() -> None:
    permits = Permits(4)
    taken = [await permits.take() for _ in range(2)]
    permits.was_full()
    waiting = [await taking(permits) for _ in range(3)]
    permits.give_back(taken.pop())
    counts = [sum(task.done() for task in waiting)]
    for _ in range(9):
        permits.worked()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        counts.append(sum(task.done() for task in waiting))
    assert counts == [0, 1, 1, 1, 2, 2, 2, 3, 3, 3]
    assert permits.limit == 4


class PermitsMachine(RuleBasedStateMachine):
    """Any order of taking, giving back, keeping, cancelling, of permits that come, go and are lost."""

    takers = Bundle("takers")

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner(loop_factory=VirtualLoop)
        self.permits = self.runner.run(self._permits())
        self.ours = set(range(SIZE))
        self.lost: set[Permit] = set()
        self.waiting: list[tuple[str | None, asyncio.Task[Permit]]] = []

    @staticmethod
    async def _permits() -> Permits:
        return Permits(SIZE)

    @property
    def taken(self) -> list[Permit]:
        return [task.result() for _, task in self.waiting if task.done()]

    @rule(target=takers, owner=st.sampled_from([None, None, SHARED, "a", "b"]))
    def take(self, owner: str | None) -> tuple[str | None, asyncio.Task[Permit]]:
        taker = owner, self.runner.run(taking(self.permits, owner))
        self.waiting.append(taker)
        return taker

    @rule(taker=consumes(takers), is_kept=st.booleans(), then=st.sampled_from(["", "give up", "lose"]))
    def leave(self, taker: tuple[str | None, asyncio.Task[Permit]], *, is_kept: bool, then: str) -> None:
        owner, task = taker
        if taker not in self.waiting:
            return  # it gave up when another left
        self.waiting.remove(taker)
        self.runner.run(self._leave(owner, task, is_kept=is_kept, then=then))

    async def _leave(
        self, owner: str | None, task: asyncio.Task[Permit], *, is_kept: bool, then: str
    ) -> None:
        permit = task.result() if task.done() else None
        if permit:
            permit.session, permit.owner = ("s", owner) if owner and is_kept else (None, None)
            self.permits.give_back(permit)
        task.cancel()
        pending = [other for other in self.waiting if not other[1].done()]
        if then == "give up" and pending:
            self.waiting.remove(pending[0])
            pending[0][1].cancel()
            await asyncio.sleep(0)
        if then == "lose" and permit and permit not in self.lost:
            self._lose(permit.index)  # while it may be on its way to the next
        self.lost -= {permit}
        for _ in range(4):
            await asyncio.sleep(0)

    @rule(index=INDEXES)
    def add(self, index: int) -> None:
        used = {permit.index for permit in self.taken}
        assert self.runner.run(self._sync(lambda: self.permits.add(index))) == (
            index not in self.ours and index not in used
        )
        if index not in used:
            self.ours.add(index)

    @rule(index=INDEXES)
    def retire(self, index: int) -> None:
        used = {permit.index for permit in self.taken}
        kept = {permit.index for permit in self.permits._free if permit.session}
        if self.permits.retire(index):
            assert index in self.ours - used - kept
            self.ours.remove(index)
        else:
            assert index not in self.ours or index in used | kept

    @rule(index=INDEXES)
    def lose(self, index: int) -> None:
        self.runner.run(self._sync(lambda: self._lose(index)))
        self.lost |= {permit for permit in self.taken if permit.index == index}

    def _lose(self, index: int) -> None:
        self.permits.lose(index)
        self.ours.discard(index)

    @rule(fulls=st.integers(0, 2), works=st.integers(0, 5), seconds=st.floats(0, 2))
    def use_the_pool(self, fulls: int, works: int, seconds: float) -> None:
        self.runner.run(self._use_the_pool(fulls, works, seconds))

    async def _use_the_pool(self, fulls: int, works: int, seconds: float) -> None:
        for _ in range(fulls):
            self.permits.was_full()
        for _ in range(works):
            self.permits.worked()
        await asyncio.sleep(seconds)

    @staticmethod
    async def _sync(step: Callable[[], T]) -> T:
        answer = step()
        for _ in range(4):
            await asyncio.sleep(0)
        return answer

    @invariant()
    def no_permit_is_held_twice_or_leaked(self) -> None:
        indexes = [permit.index for permit in (*self.taken, *self.permits._free)]
        assert len(set(indexes)) == len(indexes)
        assert set(self.taken) == set(self.permits._in_use)
        assert {permit.index for permit in {*self.taken, *self.permits._free} - self.lost} == self.ours
        assert self.permits.held == len(self.ours)
        assert self.permits.in_use == len(self.taken) - len(self.lost)

    @invariant()
    def who_uses_a_lost_permit_is_told_and_nobody_else(self) -> None:
        assert {permit for permit in self.taken if permit.lost.done()} == self.lost
        assert not any(permit.lost.done() for permit in self.permits._free)

    @invariant()
    def nobody_waits_for_a_permit_that_is_free(self) -> None:
        busy = [owner for owner, task in self.waiting if task.done()]
        for owner, task in self.waiting:
            if not task.done() and self.permits._free and self.permits.in_use < self.permits.limit:
                assert owner in busy
                assert owner not in (None, SHARED)

    @invariant()
    def the_limit_leaves_one_at_least(self) -> None:
        assert min(1, self.permits.held) <= self.permits.limit <= self.permits.held

    @invariant()
    def a_key_is_in_use_once(self) -> None:
        keys = [owner for owner, task in self.waiting if task.done() and owner in ("a", "b")]
        assert len(set(keys)) == len(keys)

    def teardown(self) -> None:
        for _, task in self.waiting:
            task.cancel()
        self.runner.close()


TestPermits = PermitsMachine.TestCase
TestPermits.settings = settings(
    max_examples=60, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
