"""A ``then`` is checked before its job runs, as far as that does not depend on what the job comes to."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.chains.parents import CODE, step, steps
from worker.faults import JobRejected
from worker.job import check_steps, validate_job
from worker.steps import MOST_JOBS, MOST_NESTING


def template(**fields: Any) -> dict[str, Any]:  # noqa: ANN401 - a job's
    return step(job={"code": CODE} | fields)


@pytest.mark.parametrize(
    ("wrong", "field", "says"),
    [
        ([step(), step()], "then.1.name", "another step is called 'next'"),
        ([step("join")], "then.0.name", "must not be 'join'"),
        ([step("a.b")], "then.0.name", "should match pattern"),
        ([step("1")], "then.0.name", "should match pattern"),
        ([step(on="never")], "then.0.on", "'succeeded', 'failed' or 'ended'"),
        ([step(each="a b")], "then.0.each", "Unexpected token"),
        ([step(join={"code": CODE})], "then.0.join", "nothing to join"),
        ([step(job={})], "then.0.job.code", "required"),
        ([template(id="x")], "then.0.job.id", "the worker's to give"),
        ([template(trigger={})], "then.0.job.trigger", "the worker's to give"),
        ([template(colour="red")], "then.0.job.colour", "no such field"),
        ([template(stdin="${result.")], "then.0.job.stdin", "no '}' after it"),
        ([template(stdin="${result..a}")], "then.0.job.stdin", "result..a"),
        ([template(stdin={"from": "stderr"})], "then.0.job.stdin.from", "must be 'stdout', 'result'"),
        ([template(stdin={"from": "results"})], "then.0.job.stdin.from", "'results' is for a join"),
        ([template(stdin={"from": "result/../x"})], "then.0.job.stdin.from", "'..' segments"),
        ([template(files=[{"path": "/x", "from": "stdout"}])], "then.0.job.files.0.path", "relative"),
        (
            [template(files=[{"path": "x", "from": "stdout", "inline": ""}])],
            "then.0.job.files.0.from",
            "no such",
        ),
        ([template(limits={"timeout_seconds": 0})], "then.0.job.limits.timeout_seconds", "greater than 0"),
        ([template(then=[step(), step()])], "then.0.job.then.1.name", "another step"),
        (
            [step(each="x", join={"code": CODE, "then": [step(job={})]})],
            "then.0.join.then.0.job.code",
            "required",
        ),
        ([step(f"s{n}") for n in range(11)], "then", "at most 10"),
        ({}, "then", "should be a list"),
    ],
)
def test_a_mistake_is_told_with_its_place(wrong: object, field: str, says: str) -> None:
    with pytest.raises(JobRejected, match=r".") as told:
        validate_job({"version": 1, "id": "p", "code": CODE, "then": wrong})
    assert (told.value.code, told.value.field) == ("invalid_job", field)
    assert says in told.value.message


def test_fields_with_expressions_wait_for_their_values() -> None:
    made = template(limits="${result.output.limits}", args=["${item}"], batch="${job.batch}-2")
    assert steps(made)[0].job["batch"] == "${job.batch}-2"


def test_steps_are_checked_by_themselves_with_paths_that_begin_in_the_list() -> None:
    assert check_steps([step("a"), template(then=[step(each="keys(result.output)")])]) == []
    assert [wrong.path for wrong in check_steps([step(), step()])] == [(1, "name")]


def test_nesting_and_number_are_bounded() -> None:
    deep: dict[str, Any] = {"code": CODE}
    for _ in range(MOST_NESTING + 1):
        deep = {"code": CODE, "then": [step(job=deep)]}
    assert "nested over" in check_steps(deep["then"])[0].message
    wide = [step(f"s{n}", job={"code": CODE, "then": [step(f"t{m}") for m in range(10)]}) for n in range(10)]
    assert [wrong.message for wrong in check_steps(wide)] == [f"there are over {MOST_JOBS} jobs in the steps"]
