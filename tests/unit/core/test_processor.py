"""From a delivery to its settlement, and the result that it leaves."""

import asyncio
import hashlib
import json
from collections.abc import Mapping

import pytest

from tests.unit.core.world import IDENTIFIERS, Process, World, job
from worker.faults import (
    CapacityFault,
    ConfigurationFault,
    ExecutionLost,
    InfrastructureFault,
    ServiceFault,
)
from worker.processor import DELIVERIES_BEFORE_A_COPY, SETBACKS_BEFORE_GIVING_UP
from worker.settlement import Complete, DeadLetter, HandBack, History, Retry

POISON = {
    "nothing": b"",
    "no JSON": b"{",
    "null": b"null",
    "a number": b"1",
    "text": b'"x"',
    "a list": b"[]",
    "deep": b"[" * 100_000,
    "deep metadata": json.dumps(job() | {"metadata": None})
    .encode()
    .replace(b"null", b'{"a":' * 300 + b"1" + b"}" * 300),
    "many digits": b"9" * 5000,
    "not a number": b"NaN",
    "infinite metadata": json.dumps(job() | {"version": 2}).encode()[:-1] + b', "metadata": {"x": 1e999}}',
    "surrogates": rb'{"version": 1, "id": "\ud800", "metadata": {"\udc00": "\ud800"}}',
    "UTF-16": json.dumps(job()).encode("utf-16"),
    "a value": None,
    "the future": json.dumps(job() | {"version": 2, "metadata": {"x": "\udfff"}}).encode(),
    "a line end": json.dumps(job("j1\n")).encode(),
    "another's folder": json.dumps(job("j1", batch="../x")).encode(),
}


@pytest.mark.parametrize("body", POISON.values(), ids=POISON)
async def test_a_poisonous_message_ends_in_a_result_and_a_dead_letter_and_the_worker_lives(
    world: World, body: bytes | None
) -> None:
    world.send(body)
    world.send(job("healthy"))
    assert await world.process().drain() == 0
    assert len(world.queue.dead) == 1
    (poison,) = set(world.results()) - {"healthy"}
    assert world.result(poison).status == "rejected"
    assert world.result("healthy").status == "succeeded"


async def rejected(world: World, process: Process, fields: Mapping[str, object]) -> tuple[str, str | None]:
    world.send(job() | dict(fields))
    settlement = await process.process_one()
    result = world.result()
    assert result.error
    assert result.status == "rejected"
    assert isinstance(settlement, DeadLetter)
    assert settlement.reason == result.error.code
    assert world.pool.identifiers == []
    return result.error.code, result.error.field


@pytest.mark.parametrize(
    ("fields", "code", "field"),
    [
        ({"code": {"blob": "submissions/no.js"}}, "code_not_found", "code.blob"),
        ({"code": {"blob": "submissions/a.js", "sha256": "0" * 64}}, "digest_mismatch", "code.sha256"),
        ({"code": {"blob": "submissions/a.js", "etag": '"old"'}}, "etag_mismatch", "code.etag"),
        ({"code": {"blob": "submissions/big.js"}}, "limit_exceeded", "code.blob"),
        ({"code": {"inline": "x" * 101}}, "limit_exceeded", "code.inline"),
        ({"code": {"blob": "secrets/a.js"}}, "container_not_allowed", "code.blob"),
        ({"stdin": {"blob": "results/b/j/result.json"}}, "container_not_allowed", "stdin.blob"),
        ({"files": [{"path": "a", "blob": "secrets/a"}]}, "container_not_allowed", "files.0.blob"),
        ({"cases": {"blob": "secrets/a"}}, "container_not_allowed", "cases.blob"),
        ({"stdin": {"blob": "inputs/no"}}, "stdin_not_found", "stdin.blob"),
        ({"files": [{"path": "a", "blob": "inputs/no"}]}, "files_not_found", "files.0.blob"),
        ({"files": [{"path": p, "inline": "x" * 60} for p in "ab"]}, "limit_exceeded", "files"),
        ({"limits": {"timeout_seconds": 201}}, "limit_exceeded", "limits.timeout_seconds"),
        ({"limits": {"memory_mb": 4096}}, "limit_exceeded", "limits.memory_mb"),
        ({"limits": {"output_bytes": 1 << 40}}, "limit_exceeded", "limits.output_bytes"),
        ({"session": {"policy": "keyed"}}, "invalid_job", "session.key"),
    ],
    ids=str,
)
async def test_a_job_that_cannot_run_is_rejected_with_the_field_at_fault(
    world: World, fields: Mapping[str, object], code: str, field: str
) -> None:
    world.account.write("submissions/a.js", b"1")
    world.account.write("submissions/big.js", b"x" * 101)
    process = world.process(max_code_bytes=100, max_input_bytes=100)
    assert await rejected(world, process, fields) == (code, field)


async def test_a_missing_blob_is_looked_for_once_more_after_a_while(world: World) -> None:
    world.send(job(code={"blob": "submissions/late.js", "sha256": hashlib.sha256(b"{}").hexdigest()}))
    process = world.process()
    processing = asyncio.create_task(process.process_one())
    await asyncio.sleep(1)
    world.account.write("submissions/late.js", b"{}")
    assert await processing == Complete()
    assert world.result().code_sha256 == hashlib.sha256(b"{}").hexdigest()


@pytest.mark.parametrize(
    "fault",
    [CapacityFault("throttled"), InfrastructureFault("503"), InfrastructureFault("gone")],
    ids=str,
)
@pytest.mark.parametrize("call", ["read", "create", "append", "metadata"])
async def test_a_blob_store_out_of_reach_is_waited_for_in_hand(
    world: World, call: str, fault: ServiceFault
) -> None:
    world.account.write("submissions/a.js", b"{}")
    world.send(job(code={"blob": "submissions/a.js"}))
    process = world.process()
    process.calls.fail(call, fault, fault, fault)
    if call == "metadata":
        process.calls.fail("create", InfrastructureFault("no answer"), after_effect=True)
    assert await process.process_one() == Complete()
    assert process.calls.made.count("execute") == 1


async def test_outputs_that_cannot_be_stored_now_are_waited_for_with_the_result_in_hand(world: World) -> None:
    world.send(job("j1", {"stdout": "x" * 100}))
    process = world.process(max_inline_output_bytes=10)
    process.calls.fail("put", CapacityFault("throttled"), InfrastructureFault("503"))
    assert await process.process_one() == Complete()
    assert process.calls.made.count("execute") == 1


async def test_an_own_commit_whose_answer_was_lost_is_recognised(world: World) -> None:
    world.send(job())
    process = world.process()
    process.calls.fail("create", InfrastructureFault("no answer"), after_effect=True)
    assert await process.process_one() == Complete()
    assert "read" not in process.calls.made
    assert [line["status"] for line in world.progress()] == ["succeeded"]


async def test_a_result_is_discarded_when_another_attempt_has_committed(world: World) -> None:
    world.send(job("j1", {"exit_code": 1}))
    await world.process().process_one()
    world.send(job("j1", {"exit_code": 0}))
    assert await world.process().process_one() == Complete()
    assert world.result().status == "failed"
    assert [line["status"] for line in world.progress()] == ["failed", "failed"]


async def test_a_redelivery_finds_the_commit_and_does_not_run(world: World) -> None:
    world.send(job())
    process = world.process()
    delivery = await process.take()
    await process.processor.process(delivery)
    await process.receiver().settle(delivery, HandBack())
    executed = process.calls.made.count("execute")
    assert await process.process_one() == Complete()
    assert process.calls.made.count("execute") == executed == 1


async def test_a_redelivery_deletes_the_sessions_of_all_deliveries_before_it(world: World) -> None:
    world.pool.max_sessions = 4
    number = world.send(job())
    process = world.process()
    for permit in range(3):
        delivery = await process.take()
        world.pool.use(IDENTIFIERS.new(permit, f"default/j1/{number}"))
        await process.receiver().settle(delivery, HandBack())
    assert len(world.pool.sessions) == 3
    assert await process.process_one() == Complete()
    assert not world.pool.sessions


async def test_a_pool_that_cannot_tell_its_sessions_delays_a_redelivery_at_most(world: World) -> None:
    world.send(job())
    process = world.process()
    await process.receiver().settle(await process.take(), HandBack())
    process.calls.fail("identifiers", ConfigurationFault("the pool does not list sessions", "Set"))
    assert await process.process_one() == Complete()


async def test_a_copy_leaves_the_sessions_of_its_original_alone(world: World) -> None:
    number = world.send(job())
    process = world.process()
    original = await process.take()
    world.pool.use(IDENTIFIERS.new(1, f"default/j1/{number}"))
    world.send(job(), History(copies=1, origin=number))
    assert await process.process_one() == Complete()
    assert len(world.pool.sessions) == 1
    await process.receiver().settle(original, HandBack())
    assert await process.process_one() == Complete()
    assert not world.pool.sessions


async def test_a_redelivery_of_a_committed_job_deletes_the_sessions_before_it_as_well(world: World) -> None:
    number = world.send(job())
    process = world.process()
    delivery = await process.take()
    world.pool.use(IDENTIFIERS.new(0, f"default/j1/{number}"))
    world.send(job())
    await process.process_one()
    await process.receiver().settle(delivery, HandBack())
    assert await process.process_one() == Complete()
    assert process.calls.made.count("execute") == 1
    assert not world.pool.sessions


@pytest.mark.parametrize("call", ["read", "execute", "create", "append"])
async def test_a_fault_of_the_workers_own_does_not_lose_the_job(world: World, call: str) -> None:
    world.account.write("submissions/a.js", b"{}")
    world.send(job(code={"blob": "submissions/a.js"}))
    process = world.process()
    process.calls.fail(call, ZeroDivisionError("a bug"))
    settlement = await process.process_one()
    assert isinstance(settlement, Retry)
    assert settlement.history.attempts == 1
    assert "a bug" in settlement.history.reasons[0]
    assert await process.drain() == 0
    assert world.result().status == "succeeded"


async def test_wrong_settings_spend_no_attempt(world: World) -> None:
    world.send(job())
    process = world.process(max_attempts=1)
    process.calls.fail("execute", *[ConfigurationFault("refused", "Give the role")] * 7)
    assert await process.drain() == 0
    assert (world.result().status, world.result().attempts) == ("succeeded", 1)


async def test_what_a_copy_carries_counts_on(world: World) -> None:
    world.send(job(), History(attempts=4, copies=6, reasons=("one",), first_enqueued_ms=7))
    process = world.process()
    process.calls.fail("execute", ExecutionLost("two"), after_effect=True)
    assert await process.process_one() == Retry(
        0, History(5, 7, ("one", "two"), first_enqueued_ms=7, origin=1)
    )
    assert isinstance(await process.process_one(), DeadLetter)
    result = world.result()
    assert (result.status, result.attempts, result.deliveries) == ("infrastructure_failed", 5, 8)
    assert result.faults == ("one", "two")


async def test_attempts_are_spaced_further_and_further_within_bounds(world: World) -> None:
    world.send(job())
    process = world.process(max_attempts=40, retry_base_seconds=2, retry_max_seconds=300)
    delays = []
    for attempt in range(1, 20):
        process.calls.fail("execute", ExecutionLost("no answer"))
        settlement = await process.process_one()
        assert isinstance(settlement, Retry)
        assert settlement.delay <= min(300, 2 * 2**attempt)
        delays.append(settlement.delay)
        await asyncio.sleep(settlement.delay)
    await process.process_one()
    assert max(delays) > 30


async def test_a_job_that_is_handed_back_again_and_again_gets_a_message_of_its_own_and_runs(
    world: World,
) -> None:
    world.send(job())
    process = world.process()
    for _ in range(DELIVERIES_BEFORE_A_COPY):
        await process.receiver().settle(await process.take(), HandBack())
    assert isinstance(await process.process_one(), Retry)
    assert await process.process_one() == Complete()
    assert (world.result().status, world.result().attempts) == ("succeeded", 1)


async def test_a_job_that_the_pool_fails_while_it_serves_others_is_given_up_in_the_end(world: World) -> None:
    process = world.process()
    world.send(job("poison"))
    for number in range(200):
        if len(world.queue.left) == 1 or number % 3:
            world.send(job(f"j{number}"))
        delivery = await process.take()
        is_poison = b'"poison"' in (delivery.body or b"")
        if is_poison:
            process.calls.fail("execute", InfrastructureFault("500"))
        await process.receiver().settle(delivery, await process.processor.process(delivery))
        if "poison" in world.results():
            break
        await asyncio.sleep(5)
    result = world.result("poison")
    assert (result.status, result.error and result.error.code) == ("infrastructure_failed", "refused")
    assert result.deliveries > SETBACKS_BEFORE_GIVING_UP
    await process.drain()


async def test_an_outage_spends_no_attempts_but_those_of_its_beginning(
    world: World,
) -> None:
    process = world.process()
    for number in range(20):
        world.send(job(f"j{number}"))
    lost = ExecutionLost("the connection broke")
    process.calls.fail("execute", *[None] * 5, *[lost] * 5, *[InfrastructureFault("refused"), lost] * 60)
    assert await process.drain() == 0
    results = [world.result(f"j{number}") for number in range(20)]
    assert {result.status for result in results} == {"succeeded"}
    assert sum(result.attempts - 1 for result in results) <= 5
    assert world.queue.dead == []


async def test_jobs_that_end_their_sessions_are_no_outage_however_many_they_are(world: World) -> None:
    for number in range(6):
        world.send(job(f"j{number}", {"outcome": "aborted"}))
    process = world.process()
    assert await process.drain() == 0
    results = [world.result(f"j{number}") for number in range(6)]
    assert {(result.status, result.attempts) for result in results} == {("infrastructure_failed", 5)}
    assert process.vitals.ready() == ["the worker is stopping"]


async def test_while_the_services_are_out_only_probes_are_taken_from_the_queue(world: World) -> None:
    process = world.process()
    for number in range(50):
        world.send(job(f"j{number}"))
    process.calls.fail("execute", *[InfrastructureFault("refused")] * 40)
    task = asyncio.create_task(process.drain())
    await asyncio.sleep(120)
    assert process.calls.made.count("execute") < 30
    assert process.vitals.ready() == ["services: refused"]
    await task
    assert len(world.results()) == 50
    assert not any(delivery for _, delivery, _ in world.queue.settled)


async def test_a_result_tells_where_the_time_went_and_who_made_it(world: World) -> None:
    world.send(job("j1", {"seconds": 2, "stdout": "hi\n"}, metadata={"student": "é"}, batch="hw1"))
    await world.process().process_one()
    result = world.result("j1", "hw1")
    assert (result.stdout.text, result.stdout.bytes, result.metadata) == ("hi\n", 3, {"student": "é"})
    assert (result.timings.allocate_ms, result.timings.execute_ms) == (3.0, 5.0)
    assert None not in {result.timings.fetch_ms, result.timings.wait_ms, result.timings.release_ms}
    assert (result.worker.instance, result.session and result.session.policy) == ("here", "fresh")
