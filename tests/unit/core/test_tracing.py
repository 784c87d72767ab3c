"""The trace of a job: whose it is, and what stands in it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.unit.core.fake_queue import Sent
from tests.unit.core.world import World, job
from worker.faults import ExecutionLost
from worker.observing import Observers
from worker.telemetry.tracing import Traces

if TYPE_CHECKING:
    from worker.telemetry.spans import Span

TRACE = "0af7651916cd43dd8448eb211c80319c"
SENDER = "b7ad6b7169203331"


def traced(world: World, ratio: float = 1) -> list[Span]:
    spans: list[Span] = []
    world.observer = Observers(Traces("jobs", ratio, spans.append))
    return spans


def send(world: World, document: dict[str, object], flags: str = "01") -> None:
    body = json.dumps(document).encode()
    world.queue.send(Sent(body, "m", properties={"traceparent": f"00-{TRACE}-{SENDER}-{flags}"}))


def only(spans: list[Span], name: str) -> Span:
    (span,) = [span for span in spans if span.name == name]
    return span


async def test_a_jobs_span_is_the_one_that_its_result_and_events_name_below_its_senders(world: World) -> None:
    spans = traced(world)
    send(world, job())
    await world.process().drain()
    span, trace = only(spans, "job"), world.result().trace
    assert trace
    assert trace.traceparent == f"00-{TRACE}-{span.span_id:016x}-01"
    assert (span.parent, {one.trace_id for one in spans}) == (int(SENDER, 16), {int(TRACE, 16)})
    assert dict(span.attributes) == {
        "messaging.system": "servicebus",
        "messaging.destination.name": "jobs",
        "jsworker.batch": "default",
        "jsworker.job": "j1",
        "jsworker.status": "succeeded",
        "jsworker.attempts": 1,
        "jsworker.session.policy": "fresh",
    }


async def test_each_phase_has_a_span_in_that_of_the_attempt_and_ends_in_its_parent(world: World) -> None:
    spans = traced(world)
    send(world, job(program={"seconds": 5}))
    await world.process().drain()
    job_span, attempt = only(spans, "job"), only(spans, "attempt")
    assert attempt.parent == job_span.span_id
    phases = [span for span in spans if span.parent == attempt.span_id]
    assert {span.name for span in phases} == {"fetch", "wait", "allocate", "execute", "release", "store"}
    by_id = {span.span_id: span for span in spans}
    assert len(by_id) == len(spans)
    for span in spans:
        assert span.start <= span.end
        if span.parent in by_id and span not in phases:
            assert by_id[span.parent].start <= span.start
            assert span.end <= by_id[span.parent].end


async def test_each_attempt_of_a_job_is_a_span_of_the_one_trace_and_one_that_was_lost_has_failed(
    world: World,
) -> None:
    spans = traced(world)
    process = world.process()
    process.calls.fail("execute", ExecutionLost("no answer"))
    world.send(job())
    await process.drain()
    job_span, attempts = only(spans, "job"), [span for span in spans if span.name == "attempt"]
    assert job_span.parent is None, "nobody sent a trace along"
    assert [(span.failed, span.attributes["jsworker.outcome"]) for span in attempts] == [
        (True, "rescheduled"),
        (False, "completed"),
    ]
    assert {span.parent for span in attempts} == {job_span.span_id}
    assert {span.trace_id for span in spans} == {job_span.trace_id}
    assert not job_span.failed


async def test_a_program_that_fails_is_no_failure_of_the_platform_but_a_job_that_cannot_be_run_is(
    world: World,
) -> None:
    spans = traced(world)
    process = world.process(max_attempts=1)
    world.send(job("fails", {"exit_code": 1}))
    await process.drain()
    process = world.process(max_attempts=1)
    process.calls.fail("execute", ExecutionLost("no answer"))
    world.send(job("lost"))
    await process.drain()
    failed = {span.attributes["jsworker.job"]: span.failed for span in spans if span.name == "job"}
    assert failed == {"fails": False, "lost": True}


@pytest.mark.parametrize(("ratio", "flags"), [(0, "01"), (1, "00")])
async def test_traces_are_left_out_by_the_ratio_or_because_their_senders_do_not_record_them(
    world: World, ratio: float, flags: str
) -> None:
    spans = traced(world, ratio)
    send(world, job(), flags)
    await world.process().drain()
    assert world.results() == ["j1"]
    assert spans == []


async def test_of_a_ratio_of_traces_the_same_are_chosen_by_all_workers(world: World) -> None:
    chosen = []
    for _ in range(2):
        spans = traced(world, 0.5)
        for number in range(40):
            world.send(job(f"j{number}"))
        process = world.process()
        await process.drain()
        chosen.append({span.trace_id for span in spans if span.name == "job"})
        world = World()
    assert chosen[0] == chosen[1]
    assert 5 < len(chosen[0]) < 35


async def test_neither_code_nor_output_nor_session_is_in_a_trace(world: World) -> None:
    spans = traced(world)
    world.send(job(program={"stdout": "canary"}, stdin={"inline": "canary"}, metadata={"a": "canary"}))
    await world.process().drain()
    assert spans
    assert "canary" not in repr(spans)
    assert not [name for name in world.pool.identifiers if name in repr(spans)]
