"""What ``plan`` predicts is what the worker does, in virtual time; and what it says of bounds and cost."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.core.fake_pool import FakePool
from tests.unit.core.world import Process, World, job
from worker.clock import now
from worker.makespan import Policy, Pool, Work
from worker.plan import MOST_JOBS, Plan, Workers, planned, smallest, spread

if TYPE_CHECKING:
    from collections.abc import Sequence

    from worker.ran import Execution

ALLOCATE, RELEASE = 3.0, 0.2


class SlowPool(FakePool):
    """Takes its time to allocate a session and to delete it."""

    async def execute(self, permit: int, identifier: str, code: str, timeout_seconds: float) -> Execution:
        if identifier not in self._pool.sessions:
            self._pool.use(identifier)
            await asyncio.sleep(ALLOCATE)
        return await super().execute(permit, identifier, code, timeout_seconds)

    async def release(self, permit: int, identifier: str) -> bool:
        await asyncio.sleep(RELEASE)
        return await super().release(permit, identifier)


class SlowProcess(Process):
    pool_class = SlowPool


async def taken(sessions: int, seconds: Sequence[float], session: dict[str, Any]) -> tuple[float, int]:
    """How long a worker takes for jobs, and how many sessions it allocates."""
    world = World(max_sessions=sessions)
    for number, time in enumerate(seconds):
        key = session | ({"key": f"k{number % session['keys']}"} if "keys" in session else {})
        key.pop("keys", None)
        world.send(job(f"j{number:04}", {"seconds": time}, session=key))
    began = now()
    await SlowProcess(world, max_sessions=sessions, lookahead=8).drain()
    assert len(world.results()) == len(seconds)
    return max(executed.ended for executed in world.pool.executed) - began, len(world.pool.identifiers)


def prediction(sessions: int, seconds: Sequence[float], policy: Policy = "fresh", keys: int = 1) -> Plan:
    pool = Pool(sessions, ALLOCATE, RELEASE, call_seconds=0.0)
    return planned(Work(seconds, policy, keys), pool, Workers(sessions, beside_seconds=0.0))


TIMES = {
    "all alike": [2.0] * 120,
    "of every length": [random.Random(1).expovariate(1 / 3) for _ in range(120)],  # noqa: S311 - a sample
    "one very long": [1.0] * 60 + [90.0] + [1.0] * 60,
}


@pytest.mark.parametrize("seconds", TIMES.values(), ids=TIMES)
@pytest.mark.parametrize(
    "session", [{"policy": "fresh"}, {"policy": "shared"}, {"policy": "keyed", "keys": 30}]
)
async def test_the_worker_takes_as_long_as_was_planned_within_a_tenth(
    seconds: list[float], session: dict[str, Any]
) -> None:
    plan = prediction(6, seconds, session["policy"], session.get("keys", 1))
    measured, sessions = await taken(6, seconds, session)
    assert measured == pytest.approx(plan.finish_seconds, rel=0.1)
    assert sessions == pytest.approx(plan.sessions_allocated, rel=0.1)


def test_a_session_is_paid_for_by_the_hour_that_it_began() -> None:
    fresh, shared = (prediction(10, [2.0] * 500, policy) for policy in ("fresh", "shared"))
    assert (fresh.session_hours_billed, round(fresh.cost, 2)) == (500, 15.0)
    assert (shared.session_hours_billed, round(shared.cost, 2)) == (10, 0.3)


def test_what_bounds_is_named() -> None:
    assert prediction(4, [1.0] * 100).bottleneck == "sessions"
    assert prediction(100, [1.0] * 50 + [500.0]).bottleneck == "longest_job"
    assert prediction(50, [1.0] * 100, "keyed", 2).bottleneck == "keys"
    work, pool = Work([0.1] * 10_000, "shared"), Pool(600)
    assert planned(work, pool, Workers(600, cpu_seconds=0.0)).bottleneck == "slots"
    assert planned(work, pool, Workers(600, beside_seconds=0.0, cpu_seconds=0.1)).bottleneck == "worker_cpu"


def test_a_pool_that_deletes_nothing_serves_a_job_in_a_session_and_a_cooldown() -> None:
    """The trap of the tutorial's own pool: 5 sessions, 300 s."""
    pool = Pool(5, 0.0, call_seconds=0.0, deletes=False)
    plan = planned(Work([0.0] * 50), pool, Workers(5, beside_seconds=0.0))
    assert plan.finish_seconds == 9 * 300


def test_replicas_never_have_more_sessions_than_the_pool() -> None:
    for sessions in range(1, 601):
        for most in {1, 7, 10, sessions}:
            workers = Workers(min(most, sessions))
            assert workers.replicas(sessions) * workers.sessions_per_worker <= sessions


@given(
    st.lists(st.floats(0, 100), min_size=1, max_size=60),
    st.integers(1, 40),
    st.sampled_from(["fresh", "keyed", "shared"]),
    st.integers(1, 10),
)
def test_no_plan_is_faster_than_its_bounds_nor_slower_than_one_session(
    seconds: list[float], sessions: int, policy: Policy, keys: int
) -> None:
    plan, alone = (prediction(count, seconds, policy, keys) for count in (sessions, 1))
    assert max(seconds) <= plan.finish_seconds + 1e-6
    assert sum(seconds) / sessions <= plan.finish_seconds + 1e-6
    assert plan.finish_seconds <= alone.finish_seconds + 1e-6
    assert plan.session_hours_billed >= plan.session_hours_used - 1e-6


def test_the_fewest_sessions_that_make_it_in_time_are_found() -> None:
    def fewest(seconds: float) -> int | None:
        work = Work([2.0] * 500)
        return smallest(work, Pool(1), lambda most: Workers(min(10, most)), seconds)

    found = fewest(300)
    assert found is not None
    plans = [planned(Work([2.0] * 500), Pool(count), Workers(min(10, count))) for count in (found, found - 1)]
    assert plans[0].finish_seconds <= 300 < plans[1].finish_seconds
    assert fewest(2) is None


def test_a_plan_is_for_a_number_of_jobs_that_can_be() -> None:
    for count in (0, MOST_JOBS + 1):
        with pytest.raises(ValueError, match="a plan is for 1 to"):
            prediction(1, [0.0] * count)
    assert spread([1.0, 2.0], 5) == [1.0, 2.0, 1.0, 2.0, 1.0]
