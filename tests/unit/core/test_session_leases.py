"""Sessions lent to jobs: each is deleted or kept on purpose, whatever becomes of the job."""

import asyncio

import pytest

from tests.unit.core.world import IDENTIFIERS, Process, World, job
from worker.faults import CapacityFault, ConfigurationFault, ExecutionLost, InfrastructureFault
from worker.identifiers import Identifiers
from worker.lease import Lease
from worker.settlement import Complete, Retry


async def run_and_fail(process: Process, fault: BaseException | None, owner: str | None = None) -> None:
    async with process.leases.lend("b/j/1", owner) as lease:
        await lease.execute("{}", 10)
        if fault:
            raise fault


@pytest.mark.parametrize("fault", [None, ExecutionLost("cut"), ValueError("a bug"), TimeoutError()], ids=repr)
async def test_a_fresh_session_is_deleted_in_success_and_failure(
    world: World, fault: Exception | None
) -> None:
    process = world.process()
    await asyncio.gather(run_and_fail(process, fault), return_exceptions=True)
    assert len(world.pool.identifiers) == 1
    assert process.calls.made == ["execute", "release"]


async def test_a_session_is_deleted_when_the_job_is_cancelled_while_it_runs(world: World) -> None:
    process = world.process()
    async with asyncio.timeout(5):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1), process.leases.lend("s", None) as lease:
                await lease.execute('{"seconds": 60}', 70)
    assert process.calls.made == ["execute", "release"]


async def test_a_deletion_goes_on_when_the_job_is_cancelled_during_it(world: World) -> None:
    process = world.process()
    process.calls.fail("release", InfrastructureFault("503"))
    running = asyncio.create_task(run_and_fail(process, None))
    await asyncio.sleep(0.1)
    assert process.calls.made[-1] == "release"
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert process.permits._in_use
    await process.leases.close()
    assert not process.permits._in_use


async def test_a_release_is_retried_before_the_permit_is_given_back(world: World) -> None:
    process = world.process()
    process.calls.fail("release", *[InfrastructureFault("503")] * 2)
    async with process.leases.lend("s", None) as lease:
        await lease.execute("{}", 10)
    assert process.calls.made.count("release") == 3
    assert lease.release_ms == 1000


async def test_a_permit_is_used_again_as_soon_as_the_pool_confirms_the_deletion_after_an_outage(
    world: World,
) -> None:
    process = world.process()
    process.calls.fail("release", *[InfrastructureFault("503")] * 20)
    await run_and_fail(process, None)
    assert asyncio.get_running_loop().time() < 10, "the job does not wait for it"
    await asyncio.sleep(60)
    assert len(process.permits._in_use) == 1
    await asyncio.sleep(40)
    assert not process.permits._in_use
    assert not world.pool.sessions


async def test_a_session_that_an_abandoned_call_makes_after_its_deletion_is_deleted_before_its_permit_is_used(
    world: World,
) -> None:
    process = world.process()
    process.calls.fail("execute", ExecutionLost("no answer"))
    with pytest.raises(ExecutionLost):
        async with process.leases.lend("b/j/1", None) as lease:
            await lease.execute("{}", 10)
    world.pool.use(lease.identifier)  # the call arrives in the end
    world.pool.violations.clear()
    assert process.permits.in_use == 1
    await asyncio.sleep(3)
    assert (list(world.pool.sessions), process.permits.in_use) == ([], 0)
    assert process.calls.made == ["execute", "release", "release", "release"]


async def test_a_permit_stays_out_as_long_as_a_lost_execution_may_go_on_and_the_cooldown_besides(
    world: World,
) -> None:
    process = world.process()
    process.calls.fail("execute", ExecutionLost("no answer"), after_effect=True)
    process.calls.fail("release", ConfigurationFault("DELETE is refused", "Allow it"))
    with pytest.raises(ExecutionLost):
        async with process.leases.lend("b/j/1", None) as lease:
            await lease.execute("{}", 200)
    await asyncio.sleep(200 + world.pool.cooldown_seconds - 10)
    assert process.permits._in_use
    await asyncio.sleep(20)
    assert not process.permits._in_use


async def test_an_execution_lost_by_a_pool_that_does_not_answer_at_all_is_no_matter_of_the_job(
    world: World,
) -> None:
    process = world.process()
    process.calls.fail("execute", ExecutionLost("cut"))
    process.calls.fail("release", *[InfrastructureFault("refused")] * 5)
    with pytest.raises(InfrastructureFault, match="cut; nor does it answer"):
        async with process.leases.lend("b/j/1", None) as lease:
            await lease.execute("{}", 10)
    await asyncio.sleep(60)


@pytest.mark.parametrize(
    "fault", [ConfigurationFault("DELETE is refused", "Allow it"), RuntimeError("a bug")]
)
async def test_a_permit_is_out_for_the_cooldown_when_its_session_cannot_be_deleted(
    world: World, fault: Exception
) -> None:
    process = world.process()
    process.calls.fail("release", *[fault] * 4)
    await run_and_fail(process, None)
    await asyncio.sleep(world.pool.cooldown_seconds - 30)
    assert len(process.permits._in_use) == 1
    assert world.pool.sessions
    await asyncio.sleep(60)
    assert not process.permits._in_use


async def test_a_session_that_was_never_allocated_is_not_deleted(world: World) -> None:
    process = world.process(wait_in_hand_seconds=5)
    process.calls.fail("execute", *[CapacityFault("full")] * 100)
    with pytest.raises(CapacityFault):
        await run_and_fail(process, None)
    assert "release" not in process.calls.made


async def test_a_full_pool_is_waited_for_no_sooner_than_it_asks(world: World) -> None:
    process = world.process()
    process.calls.fail("execute", CapacityFault("full", retry_after=77))
    await run_and_fail(process, None)
    assert asyncio.get_running_loop().time() >= 77


async def test_shared_jobs_use_a_session_again_and_at_the_end_it_is_deleted(world: World) -> None:
    for number in range(6):
        world.send(job(f"j{number}", session={"policy": "shared"}))
    await world.process().drain()
    assert 1 <= len(world.pool.identifiers) <= 2
    assert not world.pool.sessions


async def test_keyed_jobs_use_the_session_of_their_key_one_after_another(world: World) -> None:
    for number in range(6):
        world.send(job(f"j{number}", {"seconds": 1}, session={"policy": "keyed", "key": "k"}))
    process = world.process()
    began = asyncio.get_running_loop().time()
    await process.drain()
    assert len(world.pool.identifiers) == 1
    assert asyncio.get_running_loop().time() - began >= 6


async def test_the_same_key_in_another_batch_is_another_session(world: World) -> None:
    for batch in ("b1", "b2"):
        world.send(job(batch=batch, session={"policy": "keyed", "key": "k"}))
    process = world.process()
    await process.process_one()
    await process.process_one()
    assert len(world.pool.identifiers) == 2
    await process.leases.close()


async def test_the_session_of_a_key_is_evicted_for_another_owner(world: World) -> None:
    world.pool.max_sessions = 1
    process = world.process()
    await run_and_fail(process, None, "keyed:a")
    (first,) = world.pool.sessions
    await run_and_fail(process, None, "keyed:b")
    (second,) = world.pool.sessions
    assert first != second
    await run_and_fail(process, None)
    assert not world.pool.sessions
    assert world.pool.full == 0


async def test_an_eviction_that_is_not_confirmed_leaves_no_room_for_another(world: World) -> None:
    world.pool.max_sessions = 1
    process = world.process()
    await run_and_fail(process, None, "keyed:a")
    process.calls.fail("release", InfrastructureFault("503"), InfrastructureFault("503"))
    with pytest.raises(InfrastructureFault):
        await run_and_fail(process, None, "keyed:b")
    await run_and_fail(process, None)
    assert world.pool.full == 0


async def test_a_kept_session_is_deleted_after_a_job_that_failed_in_it(world: World) -> None:
    process = world.process()
    await run_and_fail(process, None, "keyed:a")
    with pytest.raises(ExecutionLost):
        await run_and_fail(process, ExecutionLost("cut"), "keyed:a")
    assert not world.pool.sessions


async def test_a_kept_session_that_is_not_used_is_deleted_after_a_while_and_its_permit_free(
    world: World,
) -> None:
    process = world.process()
    tidying = asyncio.create_task(process.leases.tidy())
    await run_and_fail(process, None, "keyed:a")
    for _ in range(10):
        await asyncio.sleep(20)
        await run_and_fail(process, None, "keyed:b")
    assert len(world.pool.identifiers) == 2, "one that is used is kept"
    assert len(world.pool.sessions) == 1
    await asyncio.sleep(90)
    assert not world.pool.sessions
    assert [process.permits.retire(index) for index in range(2)] == [True, True]
    tidying.cancel()


async def test_a_failing_attempt_deletes_its_session_before_the_next(world: World) -> None:
    world.send(job())
    process = world.process()
    process.calls.fail("execute", ExecutionLost("no answer"), after_effect=True)
    assert isinstance(await process.process_one(), Retry)
    assert not world.pool.sessions
    assert await process.process_one() == Complete()


def test_identifiers_tell_their_owner_their_permit_and_their_job_to_who_has_the_secret() -> None:
    mine, same, scoped, other = (
        Identifiers(secret, scope) for secret, scope in ((b"a", ""), (b"a", ""), (b"a", "here"), (b"b", ""))
    )
    name = mine.new(7, "b/j/1")
    assert (same.is_own(name), scoped.is_own(name), other.is_own(name)) == (True, False, False)
    assert (same.of_permit(name, 7), same.of_permit(name, 70), other.of_permit(name, 7)) == (
        True,
        False,
        False,
    )
    assert (scoped.of_job(name, "b/j/1"), same.of_job(name, "b/j/2"), other.of_job(name, "b/j/1")) == (
        True,
        False,
        False,
    )
    kept = mine.new(599, None)
    assert (mine.of_permit(kept, 599), mine.of_job(kept, "b/j/1")) == (True, False)
    assert len({mine.new(7, "b/j/1") for _ in range(100)}) == 100
    assert all(4 <= len(made) <= 128 and made.replace("-", "").isalnum() for made in (name, kept))


async def test_a_job_whose_permit_is_lost_is_stopped_and_its_session_deleted(world: World) -> None:
    process = world.process()
    asyncio.get_running_loop().call_later(5, process.permits.lose, 0)
    with pytest.raises(CapacityFault, match="permit was lost"):
        async with process.leases.lend("b/j/1", None) as lease:
            await lease.execute('{"seconds": 60}', 70)
    assert asyncio.get_running_loop().time() < 10
    assert not world.pool.sessions
    assert process.permits.held == 1


async def test_a_job_of_a_worker_that_has_lost_all_permits_does_not_wait_for_ever(world: World) -> None:
    process = world.process(wait_in_hand_seconds=30)
    for index in range(2):
        process.permits.lose(index)
    with pytest.raises(CapacityFault, match="other workers'"):
        await run_and_fail(process, None)
    assert asyncio.get_running_loop().time() == 30
    waiting = asyncio.create_task(run_and_fail(process, None))
    await asyncio.sleep(10)
    process.permits.add(1)
    await waiting
    assert not world.pool.sessions


async def test_a_permit_lost_between_two_jobs_stops_neither(world: World) -> None:
    process = world.process()
    await run_and_fail(process, None)
    process.permits.lose(0)
    await run_and_fail(process, None)
    assert not world.pool.sessions


async def test_what_a_crash_of_this_instance_left_is_swept_and_nothing_else(world: World) -> None:
    world.pool.max_sessions = 3
    process = world.process()
    for name in (IDENTIFIERS.new(0, "b/j/1"), "jsw-00000000-000-0000000000000000-0", "somebody-else"):
        world.pool.use(name)
    await process.leases.sweep()
    assert list(world.pool.sessions) == ["jsw-00000000-000-0000000000000000-0", "somebody-else"]
    for name in list(world.pool.sessions):
        world.pool.delete(name)


@pytest.mark.parametrize("fault", [InfrastructureFault("503"), ConfigurationFault("refused", "Allow it")])
async def test_a_sweep_that_fails_does_not_hold_up_the_start(world: World, fault: Exception) -> None:
    process = world.process()
    process.calls.fail("identifiers", fault)
    await process.leases.sweep()
    assert process.calls.made == ["identifiers"]


async def test_a_lease_tells_how_much_of_a_stream_arrives(world: World) -> None:
    async with world.process().leases.lend("s", None) as lease:
        assert isinstance(lease, Lease)
        assert lease.stream_chars == 20_000
