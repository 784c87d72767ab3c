"""Permits bound the sessions; those that wait are served in their order."""

import asyncio

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from tests.unit.core.virtual_time import VirtualLoop
from worker.permits import SHARED, Permit, Permits

SIZE = 3
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


class PermitsMachine(RuleBasedStateMachine):
    """Any order of taking, giving back, keeping and cancelling."""

    takers = Bundle("takers")

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner(loop_factory=VirtualLoop)
        self.permits = Permits(SIZE)
        self.waiting: list[tuple[str | None, asyncio.Task[Permit]]] = []

    @rule(target=takers, owner=st.sampled_from([None, None, SHARED, "a", "b"]))
    def take(self, owner: str | None) -> tuple[str | None, asyncio.Task[Permit]]:
        taker = owner, self.runner.run(taking(self.permits, owner))
        self.waiting.append(taker)
        return taker

    @rule(taker=consumes(takers), is_kept=st.booleans(), gives_up_next=st.booleans())
    def leave(
        self, taker: tuple[str | None, asyncio.Task[Permit]], *, is_kept: bool, gives_up_next: bool
    ) -> None:
        owner, task = taker
        if taker not in self.waiting:
            return  # it gave up when another left
        self.waiting.remove(taker)
        self.runner.run(self._leave(owner, task, is_kept=is_kept, gives_up_next=gives_up_next))

    async def _leave(
        self, owner: str | None, task: asyncio.Task[Permit], *, is_kept: bool, gives_up_next: bool
    ) -> None:
        if task.done():
            permit = task.result()
            permit.session, permit.owner = ("s", owner) if owner and is_kept else (None, None)
            self.permits.give_back(permit)
        task.cancel()
        pending = [other for other in self.waiting if not other[1].done()]
        if gives_up_next and pending:
            self.waiting.remove(pending[0])
            pending[0][1].cancel()
            await asyncio.sleep(0)
        for _ in range(3):
            await asyncio.sleep(0)

    @invariant()
    def no_permit_is_held_twice_or_lost(self) -> None:
        held = [task.result() for _, task in self.waiting if task.done()]
        assert len(set(held)) == len(held) <= SIZE
        assert set(held) == set(self.permits._in_use)
        assert len(self.permits._free) + len(held) == SIZE

    @invariant()
    def nobody_waits_for_a_permit_that_is_free(self) -> None:
        busy = [owner for owner, task in self.waiting if task.done()]
        for owner, task in self.waiting:
            if not task.done() and self.permits._free:
                assert owner in busy
                assert owner not in (None, SHARED)

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
    max_examples=40, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
