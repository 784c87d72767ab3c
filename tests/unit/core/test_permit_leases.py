"""A fleet over one store and one pool: never more permits than the pool has sessions, and none is lost."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from tests.unit.core.fleet import LEASE, SIZE, Replica, fleet_of, working
from tests.unit.core.virtual_time import VirtualLoop
from worker.clock import now
from worker.faults import InfrastructureFault, LeaseHeld

if TYPE_CHECKING:
    import structlog

pytestmark = pytest.mark.usefixtures("alone")


def logged(events: list[structlog.typing.EventDict], event: str) -> list[structlog.typing.EventDict]:
    return [entry for entry in events if entry["event"] == event]


async def test_each_replica_has_one_permit_while_there_is_no_work() -> None:
    async with fleet_of(3) as (fleet, _):
        await asyncio.sleep(1)
        assert fleet.held() == [1, 1, 1]
        await asyncio.sleep(600)
        assert fleet.held() == [1, 1, 1]


async def test_no_more_are_handed_out_than_the_pool_has_and_all_work_is_done() -> None:
    async with fleet_of(3) as (fleet, replicas):
        jobs = [task for replica in replicas for task in await working(replica, 20, 3)]
        await asyncio.wait(jobs, timeout=300)
        assert all(job.done() for job in jobs)
        assert fleet.peak == SIZE


async def test_a_replica_beyond_the_number_of_permits_gets_one_when_another_leaves() -> None:
    async with fleet_of(3, size=2) as (fleet, replicas):
        await asyncio.sleep(10)
        assert sorted(fleet.held()) == [0, 1, 1]
        leaving = next(replica for replica in replicas if replica.permits.held)
        await leaving.close()
        await asyncio.sleep(6)
        assert [replica.permits.held for replica in replicas if replica is not leaving] == [1, 1]


async def test_a_worker_takes_no_more_than_its_own_most_however_many_of_its_jobs_wait() -> None:
    async with fleet_of(0) as (fleet, _):
        bounded = fleet.replica(most=2)
        jobs = await working(bounded, 10, 3)
        await asyncio.sleep(5)
        assert fleet.held() == [2]
        await asyncio.wait(jobs, timeout=60)
        assert (fleet.peak, all(job.done() for job in jobs)) == (2, True)


async def test_permits_move_from_who_is_idle_to_who_has_work() -> None:
    async with fleet_of(2) as (fleet, (first, second)):
        await asyncio.wait(await working(first, SIZE, 3))
        assert sum(fleet.held()) == SIZE
        await asyncio.wait(await working(second, SIZE * 4, 3), timeout=100)
        assert first.permits.held == 1
        assert second.permits.held == SIZE - 1


async def test_a_first_job_waits_no_longer_for_a_free_permit_than_the_store_takes() -> None:
    async with fleet_of(1) as (_, (replica,)):
        await asyncio.sleep(7)
        await asyncio.wait(await working(replica, SIZE, 3))
        assert now() == pytest.approx(10, abs=0.1)


async def test_renewals_come_once_per_quarter_of_a_lease_and_none_for_jobs() -> None:
    async with fleet_of(1, size=1) as (_, (replica,)):
        await asyncio.sleep(1)
        for _ in range(400):
            await replica.work(1)
        calls = [(at, name) for at, name in zip(replica.calls.at, replica.calls.made, strict=True) if at > 1]
        assert {name for _, name in calls} == {"renew_lease"}
        assert len(calls) == pytest.approx(400 / (LEASE / 4), abs=1)
        assert all(later - earlier > LEASE / 4 - 0.001 for (earlier, _), (later, _) in pairwise(calls))


async def test_who_finds_no_free_permit_looks_again_every_few_seconds_and_not_more() -> None:
    async with fleet_of(2, size=1) as (fleet, replicas):
        await asyncio.sleep(100)
        [starved] = [replica for replica in replicas if not replica.permits.held]
        assert 20 <= starved.calls.made.count("leased") <= 51
        assert sum(fleet.held()) == 1


async def test_the_permits_of_a_dead_replica_return_after_the_lease_and_without_its_sessions() -> None:
    async with fleet_of(2) as (fleet, (dying, other)):
        taken = [await dying.take() for _ in range(SIZE - 1)]
        fleet.pool.sessions |= {"theirs-000-x", "own-999-x"}
        await dying.kill()
        died_at = now()
        fleet.pool.is_down = True
        jobs = await working(other, SIZE, 1000)
        await asyncio.sleep(LEASE + 60)
        assert other.permits.held == 1
        fleet.pool.is_down = False
        await asyncio.sleep(30)
        assert other.permits.held == SIZE
        assert fleet.held_by_dead() == 0
        assert not {session for _, session in taken} & fleet.pool.sessions
        assert {"theirs-000-x", "own-999-x"} < fleet.pool.sessions
        assert now() - died_at < LEASE + 120
        await asyncio.wait(jobs)


async def test_a_permit_is_not_used_while_a_session_of_its_dead_holder_may_be_left(
    quiet: list[structlog.typing.EventDict],
) -> None:
    async with fleet_of(2, size=1) as (fleet, replicas):
        await asyncio.sleep(6)
        [dying] = [replica for replica in replicas if replica.permits.held]
        [other] = [replica for replica in replicas if replica is not dying]
        _, session = await dying.take()
        fleet.pool.refuses.add(session)
        await dying.kill()
        await asyncio.sleep(LEASE + 5)
        acquired_at = now()
        await asyncio.sleep(500)
        assert other.permits.held == 0
        fleet.pool.sessions.remove(session)  # as the pool does with what is idle for its cooldown
        fleet.pool.is_down = True
        [waiting] = await working(other, 1, 1)
        await asyncio.wait([waiting])
        assert now() - acquired_at == pytest.approx(300 + 220, abs=10)
        assert [entry["permit"] for entry in logged(quiet, "permit_taken_unswept")] == [0]


async def test_the_permits_of_a_replica_that_left_in_order_are_had_at_once() -> None:
    async with fleet_of(2) as (fleet, (leaving, other)):
        await asyncio.wait(await working(leaving, SIZE - 1, 1))
        await leaving.close()
        assert leaving.permits.held == 0
        assert [blob["holder"] for blob in fleet.marked()] == [other.name]
        fleet.pool.is_down = True  # nothing is to be swept
        await asyncio.wait(await working(other, SIZE, 1))
        assert fleet.peak == SIZE


async def test_permits_that_were_given_back_in_order_are_taken_before_those_of_the_dead() -> None:
    async with fleet_of(1) as (fleet, (dying,)):
        first = await dying.take()
        for _ in range(3):
            await dying.take()
        dying.give_back(*first)
        await asyncio.sleep(40)  # one is idle, and given back
        assert dying.permits.held == 3
        await dying.kill()
        await asyncio.sleep(LEASE + 1)
        successor = fleet.replica()
        jobs = await working(successor, 2, 5)
        await asyncio.wait(jobs)
        assert len(fleet.pool.sessions) == 3  # all that were left
        await asyncio.wait(await working(successor, SIZE, 5))
        assert fleet.pool.sessions == set()


async def test_a_permit_in_use_at_the_end_keeps_its_holders_name(
    quiet: list[structlog.typing.EventDict],
) -> None:
    async with fleet_of(1) as (fleet, (replica,)):
        _, session = await replica.take()
        await asyncio.wait(await working(replica, 3, 1))
        await replica.close()
        assert [blob["holder"] for blob in fleet.marked()] == [replica.name]
        await replica.kill()
        successor = fleet.replica()
        await asyncio.wait(await working(successor, SIZE - 1, 1))
        assert session in fleet.pool.sessions
        assert len(logged(quiet, "permit_swept")) == 0
        jobs = await working(successor, SIZE, LEASE * 2)
        await asyncio.sleep(LEASE + 10)
        assert session not in fleet.pool.sessions
        await asyncio.wait(jobs)


@pytest.mark.parametrize(("after_renewal", "seconds"), [(0.1, 30), (10, 30), (15, 30), (19.9, 25)])
async def test_an_outage_of_the_store_of_half_a_minute_costs_no_permit(
    after_renewal: float, seconds: float, quiet: list[structlog.typing.EventDict]
) -> None:
    async with fleet_of(1, size=1) as (_, (replica,)):
        await replica.take()
        await replica.calls.renewing.wait()
        await asyncio.sleep(after_renewal)
        replica.calls.is_out = True
        await asyncio.sleep(seconds)
        replica.calls.is_out = False
        await asyncio.sleep(300)
        assert logged(quiet, "permit_lease_lost") == []
        assert replica.permits.in_use == 1


async def test_an_outage_of_two_minutes_loses_the_permits_and_says_so(
    quiet: list[structlog.typing.EventDict],
) -> None:
    async with fleet_of(1) as (_, (replica,)):
        jobs = await working(replica, SIZE, 1000)
        await asyncio.sleep(10)
        assert replica.permits.in_use == SIZE
        replica.calls.is_out = True
        await asyncio.wait(jobs, timeout=LEASE)
        assert all(job.done() for job in jobs)
        assert len(logged(quiet, "permit_lease_lost")) == SIZE
        await asyncio.sleep(60)
        assert replica.permits.held == 0
        replica.calls.is_out = False
        await asyncio.wait(await working(replica, SIZE, 1), timeout=60)
        assert replica.permits.held == SIZE


async def test_a_replica_cut_off_from_the_store_stops_before_another_has_its_permit() -> None:
    async with fleet_of(2, size=1) as (fleet, replicas):
        await asyncio.sleep(6)
        [cut_off] = [replica for replica in replicas if replica.permits.held]
        [other] = [replica for replica in replicas if replica is not cut_off]
        permit, session = await cut_off.take()
        cut_off.calls.is_out = True
        taking = asyncio.create_task(other.take())
        await asyncio.wait([permit.lost])
        lost_at = now()
        await asyncio.wait([taking])
        assert now() - lost_at >= LEASE / 5
        assert session not in fleet.pool.sessions
        cut_off.give_back(permit, session)
        other.give_back(*taking.result())


async def test_a_replica_whose_renewals_are_never_answered_loses_its_permit_as_well() -> None:
    async with fleet_of(1, size=1) as (_, (replica,)):
        permit, session = await replica.take()
        replica.calls.waited_for = asyncio.Event()
        await asyncio.wait([permit.lost], timeout=LEASE * 4 / 5 + 1)
        assert permit.lost.done()
        replica.calls.waited_for = None
        replica.give_back(permit, session)


async def test_one_renewal_without_an_answer_costs_no_permit() -> None:
    async with fleet_of(1, size=1) as (_, (replica,)):
        permit, session = await replica.take()
        replica.calls.hang("renew_lease")
        await asyncio.sleep(LEASE * 2)
        assert not permit.lost.done()
        replica.give_back(permit, session)


async def test_a_lease_is_counted_from_the_moment_its_renewal_was_asked_for() -> None:
    async with fleet_of(1, size=1) as (_, (replica,)):
        permit, session = await replica.take()
        replica.calls.waited_for = asyncio.Event()
        await replica.calls.renewing.wait()
        asked_at = now()
        await asyncio.sleep(9)
        replica.calls.waited_for.set()
        await asyncio.sleep(1)
        replica.calls.is_out = True
        await asyncio.wait([permit.lost])
        assert now() - asked_at == pytest.approx(LEASE * 4 / 5, abs=0.1)
        replica.give_back(permit, session)


async def test_a_replica_that_slept_past_its_deadline_renews_nothing() -> None:
    async with fleet_of(2, size=1) as (_, replicas):
        await asyncio.sleep(6)
        [slept] = [replica for replica in replicas if replica.permits.held]
        permit, session = await slept.take()
        made = slept.calls.made.count("renew_lease")
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        loop.jump(LEASE)
        await asyncio.wait([permit.lost], timeout=1)
        assert permit.lost.done()
        assert slept.calls.made.count("renew_lease") == made
        slept.give_back(permit, session)


async def test_a_lease_that_another_has_is_lost_at_once(quiet: list[structlog.typing.EventDict]) -> None:
    async with fleet_of(1, size=1) as (_, (replica,)):
        permit, session = await replica.take()
        replica.calls.fail("renew_lease", LeaseHeld("results/x"))
        await asyncio.wait([permit.lost], timeout=LEASE / 3)
        assert permit.lost.done()
        [entry] = logged(quiet, "permit_lease_lost")
        assert entry["reason"] == "results/x"
        replica.give_back(permit, session)


async def test_a_permit_that_was_lost_is_not_had_again_before_its_job_let_go_of_it() -> None:
    async with fleet_of(1, size=1) as (_, (replica,)):
        permit, session = await replica.take()
        replica.calls.fail("renew_lease", LeaseHeld("results/x"))
        await asyncio.sleep(LEASE * 3)
        assert replica.permits.held == 0
        replica.give_back(permit, session)
        await asyncio.sleep(LEASE)
        assert replica.permits.held == 1


async def test_a_permit_in_quarantine_is_renewed_for_as_long_as_it_takes() -> None:
    async with fleet_of(1, size=1) as (_, (replica,)):
        permit, session = await replica.take()
        await asyncio.sleep(LEASE * 5)
        assert not permit.lost.done()
        replica.give_back(permit, session)


async def test_a_write_whose_answer_was_lost_costs_a_sweep_and_no_permit() -> None:
    async with fleet_of(1, size=1) as (_, (replica,)):
        replica.calls.fail("mark_leased", InfrastructureFault("cut"), after_effect=True)
        replica.calls.fail("acquire_lease", None, InfrastructureFault("cut"), after_effect=True)
        await asyncio.sleep(LEASE + 20)
        assert replica.permits.held == 1


async def test_the_end_is_not_held_up_by_a_store_that_does_not_answer() -> None:
    async with fleet_of(1) as (_, (replica,)):
        await asyncio.wait(await working(replica, SIZE, 1))
        replica.calls.waited_for = asyncio.Event()
        began = now()
        await replica.close()
        assert now() - began <= 5.1
        replica.calls.waited_for = None


async def test_the_end_of_a_worker_that_never_began_takes_nothing() -> None:
    async with fleet_of(1) as (_, (replica,)):
        await replica.close()
        await replica.close()
    assert replica.calls.made == []


async def life(replica: Replica, step: int) -> bool:
    """Work, idle and end in order; dies at the given step of a call, and tells whether it came to it."""
    replica.calls.at_step[step] = replica.calls.crash
    jobs = await working(replica, 3, 2)
    watching = asyncio.create_task(replica.calls.crashed.wait())
    ending = asyncio.create_task(end(replica))
    await asyncio.wait([watching, ending], return_when=asyncio.FIRST_COMPLETED)
    has_died = replica.calls.crashed.is_set()
    replica.calls.crash()
    tasks = [watching, ending, replica.task, *jobs]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return has_died


async def end(replica: Replica) -> None:
    await asyncio.sleep(25)
    await replica.leases.close()


async def test_whenever_a_replica_dies_its_permits_return_and_its_sessions_go() -> None:
    step, has_died = 0, True
    while has_died:
        step += 1
        async with fleet_of(0, size=3) as (fleet, _):
            has_died = await life(fleet.replica(), step)
            successor = fleet.replica()
            jobs = await working(successor, 9, 1000)
            await asyncio.sleep(LEASE + 10)
            assert successor.permits.in_use == 3, f"died at step {step}"
            assert len(fleet.pool.sessions) == 3, f"died at step {step}"
            for job in jobs:
                job.cancel()
            await asyncio.wait(jobs)
    assert step > 20
