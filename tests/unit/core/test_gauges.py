"""What is read of a worker at one moment."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tests.unit.core.world import job
from worker.faults import CapacityFault, InfrastructureFault
from worker.gauges import LiveParts, PermitGauges, SessionGauges, SlotGauges
from worker.permits import Permits
from worker.vitals import Vitals

if TYPE_CHECKING:
    from tests.unit.core.world import Process, World


def parts(process: Process) -> LiveParts:
    return LiveParts(process.vitals, process.permits, process.leases, process.worker)


async def test_a_worker_that_is_being_assembled_has_nothing_and_says_so() -> None:
    gauges = LiveParts(Vitals(), Permits(3)).read()
    assert (gauges.slots, gauges.permits) == (SlotGauges(0, 0), PermitGauges(3, 3, 0, 0))
    assert (gauges.sessions, gauges.breakers) == (SessionGauges(0, 0, 0, 0), {})
    assert (gauges.ready, gauges.reasons) == (False, ("the worker is starting",))


async def test_jobs_in_hand_are_seen_in_slots_permits_and_sessions(world: World) -> None:
    process = world.process(max_sessions=2, lookahead=1)
    for number in range(4):
        world.send(job(f"j{number}", {"seconds": 10}))
    running = asyncio.create_task(process.drain())
    await asyncio.sleep(5)
    gauges = parts(process).read()
    assert gauges.slots == SlotGauges(open=3, busy=3)
    assert gauges.permits == PermitGauges(held=2, limit=2, in_use=2, waiting=1)
    assert gauges.sessions == SessionGauges(allocated=2, busy=2, kept=0, quarantined=0)
    assert gauges.breakers == {"receiving": False, "services": False}
    assert gauges.ready
    assert await running == 0
    gauges = parts(process).read()
    assert (gauges.slots, gauges.sessions) == (SlotGauges(0, 0), SessionGauges(0, 0, 0, 0))
    assert gauges.reasons == ("the worker is stopping",)


async def test_a_session_whose_deletion_is_not_confirmed_is_in_quarantine_with_its_permit(
    world: World,
) -> None:
    process = world.process(max_sessions=2)
    process.calls.fail("release", *[InfrastructureFault("503")] * 3)
    async with process.leases.lend("s", None) as lease:
        await lease.execute("{}", 10)
        assert parts(process).read().sessions == SessionGauges(1, 1, 0, 0)
    gauges = parts(process).read()
    assert gauges.sessions == SessionGauges(allocated=1, busy=0, kept=0, quarantined=1)
    assert gauges.permits.in_use == 1
    await process.leases.close()
    gauges = parts(process).read()
    assert (gauges.sessions, gauges.permits.in_use) == (SessionGauges(0, 0, 0, 0), 0)


async def test_a_kept_session_is_allocated_and_in_no_hands(world: World) -> None:
    process = world.process(max_sessions=2)
    async with process.leases.lend("s", "shared") as lease:
        await lease.execute("{}", 10)
    assert parts(process).read().sessions == SessionGauges(allocated=1, busy=0, kept=1, quarantined=0)
    async with process.leases.lend("s", "shared"):
        assert parts(process).read().sessions == SessionGauges(allocated=1, busy=1, kept=0, quarantined=0)
    await process.leases.close()


async def test_a_job_that_a_full_pool_refuses_has_a_permit_and_no_session(world: World) -> None:
    process = world.process(max_sessions=2)
    process.calls.fail("execute", *[CapacityFault("the session pool is full")] * 3)
    async with process.leases.lend("s", None) as lease:
        waiting = asyncio.create_task(lease.execute("{}", 10))
        await asyncio.sleep(0.1)
        gauges = parts(process).read()
        assert gauges.sessions == SessionGauges(0, 0, 0, 0)
        assert (gauges.permits.in_use, gauges.permits.limit) == (1, 1)
        await waiting
        assert parts(process).read().sessions == SessionGauges(allocated=1, busy=1, kept=0, quarantined=0)


async def test_an_open_breaker_is_seen(world: World) -> None:
    process = world.process()
    running = asyncio.create_task(process.worker.run(process.stop, drain=False))
    await asyncio.sleep(1)
    for number in range(5):
        process.services.breaker.failed(f"j{number}", "503")
    gauges = parts(process).read()
    assert gauges.breakers == {"receiving": False, "services": True}
    assert (gauges.ready, gauges.reasons) == (False, ("services: 503",))
    process.stop.set()
    assert await running == 0
