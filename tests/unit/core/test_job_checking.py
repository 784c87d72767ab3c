"""Checkers, harnesses and the first failure on a job's way through the worker."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.core.world import job
from worker.faults import ExecutionLost, InfrastructureFault
from worker.result import Score
from worker.settlement import Complete, DeadLetter

if TYPE_CHECKING:
    from tests.unit.core.world import World

ASKS: dict[str, Any] = {"name": "asks", "compare": "checker", "points": 2}
THREE: dict[str, Any] = {"name": "three", "expect": {"stdout": "3"}}


def file(*cases: dict[str, Any], checker: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:  # noqa: ANN401 - the file's
    asked = {"checker": {"inline": json.dumps(checker)}} if checker is not None else {}
    return {"inline": {"version": 1, "cases": list(cases), **asked, **fields}}


def asking(program: dict[str, Any], cases: dict[str, Any]) -> dict[str, Any]:
    return job("j1", program, cases=cases)


async def test_the_checker_has_a_session_of_its_own_after_the_submissions_is_gone(world: World) -> None:
    world.pool.max_sessions = 1
    world.send(asking({"stdout": "out"}, file(ASKS, THREE, checker={"stdout": "well done"})))
    assert await world.process(max_sessions=1).process_one() == Complete()
    result = world.result()
    assert [(case.verdict, case.message) for case in result.cases] == [
        ("accepted", "well done"),
        ("wrong_answer", None),
    ]
    assert result.timings.check_ms is not None
    assert len(world.pool.identifiers) == 2
    assert [len(runs) for runs in executed(world)] == [2, 1]


def executed(world: World) -> list[list[dict[str, Any]]]:
    """The runs of each execution."""
    specs = [code.decode().rpartition("(JSON.parse(")[2].removesuffix("));") for code in world.pool.received]
    return [json.loads(json.loads(spec))["runs"] for spec in specs]


async def test_the_expected_output_is_in_the_checkers_session_alone(world: World) -> None:
    case = ASKS | {"stdin": "given", "expect": {"stdout": "the answer"}}
    world.send(asking({"stdout": "out"}, file(case, checker={})))
    assert await world.process().process_one() == Complete()
    (program,), (checker,) = executed(world)
    assert program["files"] == []
    assert [given["path"] for given in checker["files"]] == ["input.txt", "output.txt", "expected.txt"]


async def test_no_checker_runs_for_output_that_needs_none(world: World) -> None:
    world.send(asking({"exit_code": 3}, file(ASKS, checker={})))
    assert await world.process().process_one() == Complete()
    assert world.result().cases[0].verdict == "runtime_error"
    assert len(world.pool.identifiers) == 1


@pytest.mark.parametrize("lost", [ExecutionLost("no answer"), InfrastructureFault("503")])
async def test_a_checker_that_the_platform_fails_is_no_verdict(world: World, lost: Exception) -> None:
    world.send(asking({"stdout": "out"}, file(ASKS, checker={"stdout": "fine"})))
    process = world.process()
    process.calls.fail("execute", None, lost)
    await process.drain()
    result = world.result()
    assert (result.verdict, result.attempts) == ("accepted", 2 if isinstance(lost, ExecutionLost) else 1)
    assert len(result.faults) == 1


async def test_both_sessions_are_known_to_be_the_jobs_by_whoever_gets_its_message_next(world: World) -> None:
    world.send(asking({"stdout": "out"}, file(ASKS, checker={})))
    process = world.process()
    assert await process.process_one() == Complete()
    known = [process.identifiers.of_job(name, "default/j1/1") for name in world.pool.identifiers]
    assert known == [True, True]


async def test_what_hidden_cases_left_lies_beside_the_commit(world: World) -> None:
    cases = file(THREE | {"hidden": True}, THREE)
    world.send(asking({"stdout": "secret"}, cases))
    process = world.process()
    process.calls.fail("put", InfrastructureFault("gone"))
    assert await process.process_one() == Complete()
    result = world.result()
    assert result.hidden_blob
    hidden = json.loads(world.account.find(result.hidden_blob).data)
    assert list(hidden) == ["0"]
    assert (hidden["0"]["stdout"]["text"], hidden["0"]["stderr"]["text"]) == ("secret", "")
    assert "+secret" in hidden["0"]["diff"]
    assert (result.cases[0].stdout.text, result.cases[1].stdout.text) == ("", "secret")


async def test_a_job_whose_hidden_cases_left_nothing_has_no_such_blob(world: World) -> None:
    world.send(asking({}, file({"name": "quiet", "hidden": True})))
    assert await world.process().process_one() == Complete()
    assert world.result().hidden_blob is None
    assert [case.hidden for case in world.result().cases] == [True]


async def test_cases_that_end_at_the_first_failure_run_in_few_executions_that_grow(world: World) -> None:
    world.send(asking({"stdout": "3"}, file(*[THREE] * 30, stop_at_first_failure=True)))
    assert await world.process().process_one() == Complete()
    assert world.result().verdict == "accepted"
    assert [len(runs) for runs in executed(world)] == [4, 8, 16, 2]


async def test_after_an_execution_with_a_failure_there_is_no_other(world: World) -> None:
    world.send(asking({"stdout": "4"}, file(*[THREE] * 30, stop_at_first_failure=True)))
    assert await world.process().process_one() == Complete()
    assert [case.verdict for case in world.result().cases] == ["wrong_answer", *["skipped"] * 29]
    assert world.result().score == Score(points=0, of=30)
    assert [len(runs) for runs in executed(world)] == [4]


async def test_the_runner_itself_stops_after_an_exit_code_that_is_not_expected(world: World) -> None:
    cases: list[dict[str, Any]] = [{"name": "a", "expect": {"exit_code": 3}}, {"name": "b"}, {"name": "c"}]
    world.send(asking({"exit_code": 3}, file(*cases, stop_at_first_failure=True)))
    assert await world.process().process_one() == Complete()
    assert [run["needs_exit_code"] for run in executed(world)[0]] == [3, 0, 0]
    assert [case.verdict for case in world.result().cases] == ["accepted", "runtime_error", "skipped"]


async def test_a_harness_is_the_program_and_the_submission_lies_beside_it(world: World) -> None:
    report = '{"type":"ready"}\n{"type":"pass","name":"adds","duration_ms":1}\n{"type":"end"}'
    harness = {"code": {"inline": json.dumps({"report": report})}, "submission": "lib/a.mjs"}
    cases = file({"name": "adds", "points": 5}, harness=harness)
    world.send(job("j1", {"submission": 1}, cases=cases, files=[{"path": "lib/a.mjs", "inline": "x"}]))
    assert await world.process().process_one() == Complete()
    result = world.result()
    assert [(case.name, case.verdict, case.points) for case in result.cases] == [("adds", "accepted", 5)]
    spec = world.pool.received[0].decode().rpartition("(JSON.parse(")[2].removesuffix("));")
    assert [given["path"] for given in json.loads(json.loads(spec))["files"]] == ["lib/a.mjs"] * 2
    assert "expect" not in spec


@pytest.mark.parametrize(
    ("fields", "code", "field"),
    [
        ({"checker": {"blob": "inputs/no.js"}}, "checker_not_found", "cases.checker.blob"),
        ({"checker": {"blob": "secrets/a.js"}}, "container_not_allowed", "cases.checker.blob"),
        ({"checker": {"inline": "1" * 2000}}, "limit_exceeded", "cases.checker.inline"),
        (
            {"checker": {"blob": "inputs/c.js", "sha256": "0" * 64}},
            "digest_mismatch",
            "cases.checker.sha256",
        ),
        ({}, "invalid_cases", "cases.0.compare"),
        (
            {"cases": [], "harness": {"code": {"blob": "inputs/no.js"}}},
            "code_not_found",
            "cases.harness.code.blob",
        ),
        (
            {"cases": [THREE | {"files": [{"path": "a", "blob": "inputs/no"}]}]},
            "files_not_found",
            "cases.0.files.0.blob",
        ),
        (
            {"cases": [THREE | {"files": [{"path": "a", "blob": "secrets/a"}]}]},
            "container_not_allowed",
            "cases.0.files.0.blob",
        ),
        (
            {"cases": [THREE | {"files": [{"path": "a", "inline": "x" * 5000}]}]},
            "limit_exceeded",
            "files",
        ),
    ],
)  # fmt: skip
async def test_what_is_needed_for_grading_and_cannot_be_had_rejects_the_job(
    world: World, fields: dict[str, Any], code: str, field: str
) -> None:
    world.account.write("inputs/c.js", b"1")
    body = {"version": 1, "cases": [ASKS], **fields}
    world.send(job("j1", {}, cases={"inline": body}))
    settlement = await world.process(max_code_bytes=1000, max_input_bytes=4000).process_one()
    assert isinstance(settlement, DeadLetter)
    error = world.result().error
    assert error
    assert (error.code, error.field) == (code, field)
    assert not world.pool.received


async def test_expected_output_of_twenty_megabytes_is_refused(world: World) -> None:
    large = {"version": 1, "cases": [{"name": "a", "expect": {"stdout": "x" * (20 << 20)}}]}
    world.account.write("inputs/c.json", json.dumps(large).encode())
    world.send(job("j1", cases={"blob": "inputs/c.json"}))
    assert isinstance(await world.process().process_one(), DeadLetter)
    error = world.result().error
    assert error
    assert (error.code, error.field) == ("limit_exceeded", "cases.blob")
