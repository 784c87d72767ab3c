"""A job's cases on their way through the worker; what they are compared by is tested beside this."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.core.world import job
from worker.settlement import Complete, DeadLetter

if TYPE_CHECKING:
    from tests.unit.core.world import World

THREE: dict[str, Any] = {"name": "three", "expect": {"stdout": "3"}}
FOUR: dict[str, Any] = {"name": "four", "expect": {"stdout": "4"}, "points": 2}

SLOW: dict[str, Any] = {"name": "slow", "limits": {"timeout_seconds": 500}}
UNCLEAR: dict[str, Any] = {"name": "unclear", "compare": "regex", "expect": {"stdout": "("}}


def reading(blob: str) -> dict[str, Any]:
    return {"name": "reads", "stdin": {"blob": blob}}


def write(world: World, blob: str, *cases: dict[str, Any], **fields: object) -> str:
    return world.account.write(blob, json.dumps({"version": 1, "cases": cases, **fields}).encode())


async def rejected(world: World, **settings: object) -> tuple[str, str | None]:
    settlement = await world.process(**settings).process_one()
    assert isinstance(settlement, DeadLetter)
    error = world.result().error
    assert error
    assert world.result().status == "rejected"
    assert not world.pool.received
    return error.code, error.field


async def test_a_job_with_cases_is_graded_in_one_execution(world: World) -> None:
    world.send(job("j1", {"stdout": "3\n"}, cases=[THREE, FOUR], limits={"timeout_seconds": 5}))
    assert await world.process().process_one() == Complete()
    result = world.result()
    assert (result.status, result.verdict, result.stdout.text) == ("succeeded", "partial", "3\n")
    assert [(case.name, case.verdict, case.points, case.of) for case in result.cases] == [
        ("three", "accepted", 1, 1),
        ("four", "wrong_answer", 0, 2),
    ]
    assert world.progress()[0]["score"] == {"points": 1, "of": 3}
    assert len(world.pool.received) == 1
    assert world.pool.timeouts == [pytest.approx(5 * 2 + 8, abs=1)]


async def test_cases_that_take_more_than_an_execution_may_run_one_after_another_in_one_session(
    world: World,
) -> None:
    program = {"stdout": "3", "stderr": "e", "seconds": 100}
    world.send(job("j1", program, cases=[THREE] * 5, limits={"timeout_seconds": 90}))
    await world.process().drain()
    assert len(world.result().cases) == 5
    assert world.pool.timeouts == [
        pytest.approx(188, abs=1),
        pytest.approx(188, abs=1),
        pytest.approx(98, abs=1),
    ]
    assert len(world.pool.identifiers) == 1


async def test_a_cases_file_gives_its_cases_their_defaults(world: World) -> None:
    etag = write(world, "inputs/c.json", THREE, FOUR, points=5, limits={"timeout_seconds": 1})
    world.send(job("j1", {"stdout": "3"}, cases={"blob": "inputs/c.json", "etag": etag}))
    assert await world.process().process_one() == Complete()
    assert [case.of for case in world.result().cases] == [5, 2]
    assert world.pool.timeouts == [pytest.approx(10, abs=1)]


async def test_jobs_that_are_pinned_to_one_cases_file_read_it_once(world: World) -> None:
    etag = write(world, "inputs/c.json", THREE)
    for number in range(3):
        world.send(job(f"j{number}", {"stdout": "3"}, cases={"blob": "inputs/c.json", "etag": etag}))
    process = world.process()
    await process.drain()
    assert [world.result(f"j{number}").verdict for number in range(3)] == ["accepted"] * 3
    assert process.calls.made.count("read") <= 3


async def test_a_case_may_read_a_blob_that_is_fetched_once_for_all(world: World) -> None:
    world.account.write("inputs/large", b"l" * 300_000)
    cases = [{"name": f"c{number}", "stdin": {"blob": "inputs/large"}} for number in range(3)]
    world.send(job("j1", cases=cases))
    assert await world.process().process_one() == Complete()
    assert world.pool.received[0] == b"l" * 300_000
    assert len(world.pool.received) == 2


async def test_a_program_cannot_foresee_where_the_input_of_a_later_execution_will_lie(world: World) -> None:
    world.account.write("inputs/large", b"l" * 300_000)
    cases = [reading("inputs/large") | {"name": f"c{number}"} for number in range(3)]
    world.send(job("j1", cases=cases, limits={"timeout_seconds": 90}))
    assert await world.process().process_one() == Complete()
    first, second = world.pool.executed
    assert first.session is second.session
    assert len(first.session.files) == 2


async def test_output_of_a_case_that_is_lost_with_the_answer_is_tried_again(world: World) -> None:
    world.send(job("j1", {"stdout": "3", "cut": 50}, cases=[THREE]))
    await world.process(max_attempts=2).drain()
    result = world.result()
    assert (result.status, result.verdict, result.cases) == ("infrastructure_failed", None, ())


@pytest.mark.parametrize(
    ("fields", "code", "field"),
    [
        ({"cases": [THREE, SLOW]}, "limit_exceeded", "cases.1.limits.timeout_seconds"),
        ({"cases": [THREE | {"limits": {"memory_mb": 5000}}]}, "limit_exceeded", "cases.0.limits.memory_mb"),
        ({"cases": [UNCLEAR]}, "invalid_cases", "cases.0.expect.stdout"),
        ({"cases": [reading("secrets/a")]}, "container_not_allowed", "cases.0.stdin.blob"),
        ({"cases": [reading("inputs/no")]}, "stdin_not_found", "cases.0.stdin.blob"),
        ({"cases": [THREE], "mode": "cell"}, "invalid_job", "cases"),
        ({"cases": []}, "invalid_job", "cases"),
        ({"cases": {"blob": "inputs/no"}}, "cases_not_found", "cases.blob"),
        ({"cases": {"blob": "inputs/c.json", "etag": "x"}}, "etag_mismatch", "cases.etag"),
        ({"cases": {"blob": "inputs/damaged"}}, "invalid_cases", "cases"),
        ({"cases": {"blob": "inputs/high"}}, "limit_exceeded", "cases.0.limits.output_bytes"),
    ],
)  # fmt: skip
async def test_cases_that_cannot_be_run_reject_their_job(
    world: World, fields: dict[str, Any], code: str, field: str
) -> None:
    write(world, "inputs/c.json", THREE)
    write(world, "inputs/high", THREE, limits={"output_bytes": 1 << 40})
    world.account.write("inputs/damaged", b'{"version": 1, "cases": [')
    world.send(job("j1", {}, **fields))
    assert await rejected(world) == (code, field)


async def test_a_cases_file_that_is_too_large_rejects_its_job(world: World) -> None:
    write(world, "inputs/c.json", THREE)
    world.send(job("j1", cases={"blob": "inputs/c.json"}))
    assert await rejected(world, max_cases_bytes=20) == ("limit_exceeded", "cases.blob")


async def test_what_all_cases_read_counts_together(world: World) -> None:
    cases = [{"name": f"c{number}", "stdin": f"{number}" * 100} for number in range(5)]
    world.send(job("j1", cases=cases))
    assert await rejected(world, max_input_bytes=400) == ("limit_exceeded", "files")
