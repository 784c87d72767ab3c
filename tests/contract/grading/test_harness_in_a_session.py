"""Harnesses through the local pool: files of tests as they are, and harnesses that report a list."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.contract.grading.grader import messages, verdicts

if TYPE_CHECKING:
    from tests.contract.grading.grader import Grader
    from worker.result import Result

pytestmark = pytest.mark.asyncio(loop_scope="module")

UNIT_TESTS = """const { test, describe, it, beforeEach } = require("node:test");
const assert = require("node:assert");
const { add, sub } = require("./submission.js");
test("adds", () => assert.strictEqual(add(1, 2), 3));
describe("subtracts", () => {
  beforeEach(() => {});
  it("small numbers", () => assert.strictEqual(sub(3, 1), 2));
  it("large numbers", async () => assert.strictEqual(sub(3e9, 1e9), 2e9));
});
test("outer", async (t) => {
  await t.test("inner", () => assert.deepEqual([add(0, 0)], [0]));
});
test("left out", { skip: true }, () => {});
"""
RIGHT = "exports.add = (a, b) => a + b; exports.sub = (a, b) => a - b;"
WRONG = "exports.add = (a, b) => a + b; exports.sub = (a, b) => a - b + (a > 1e9);"
NAMES = ["adds", "subtracts > small numbers", "subtracts > large numbers", "outer > inner"]


def harness(code: str, **fields: object) -> dict[str, Any]:
    return {"harness": {"code": {"inline": code}, **fields}}


def named(*names: str) -> list[dict[str, Any]]:
    return [{"name": name} for name in names]


def by_name(result: Result) -> dict[str, str]:
    return {case.name: case.verdict for case in result.cases}


async def test_each_test_that_an_existing_file_of_tests_reports_is_a_case(graded: Grader) -> None:
    result = await graded(RIGHT, file=harness(UNIT_TESTS) | {"points": 2})
    assert by_name(result) == dict.fromkeys(NAMES, "accepted")
    assert (result.verdict, result.status) == ("accepted", "succeeded")
    assert result.score
    assert (result.score.points, result.score.of) == (8, 8)
    assert all(case.duration_ms is not None for case in result.cases)


async def test_a_test_that_fails_says_why(graded: Grader) -> None:
    result = await graded(WRONG, file=harness(UNIT_TESTS))
    assert by_name(result) == dict.fromkeys(NAMES, "accepted") | {NAMES[2]: "wrong_answer"}
    assert "+ 2000000001" in str(result.cases[2].message)
    assert result.verdict == "partial"


JSON = """const report = takeReport();
const { add, sub } = require("./submission.js");
report([
  { name: "adds", ok: add(1, 2) === 3 },
  { name: "subtracts", ok: sub(1, 2) === -1, message: `got ${sub(1, 2)}` },
]);
"""


async def test_a_harness_may_report_a_list(graded: Grader) -> None:
    result = await graded(RIGHT.replace("a - b", "b - a"), file=harness(JSON, style="json"))
    assert by_name(result) == {"adds": "accepted", "subtracts": "wrong_answer"}
    assert messages(result) == [None, "got 1"]


async def test_modules_load_the_submission_by_the_name_that_the_harness_wants(graded: Grader) -> None:
    code = """import { test } from "node:test"; import assert from "node:assert/strict";
    import { add } from "./lib/calc.mjs"; import { readFileSync } from "node:fs";
    test("adds", () => assert.equal(add(1, 2), Number(readFileSync("three.txt", "utf8"))));"""
    files = [{"path": "three.txt", "inline": "3"}]
    submission = "export const add = (a, b) => a + b;"
    result = await graded(submission, files=files, file=harness(code, submission="lib/calc.mjs"))
    assert by_name(result) == {"adds": "accepted"}


async def test_a_submission_in_a_folder_of_its_own_finds_what_lies_beside_it(graded: Grader) -> None:
    files = [{"path": "src/ops/add.js", "inline": "exports.add = (a, b) => a + b"}]
    code = "Object.assign(exports, require('./ops/add'))"
    test = UNIT_TESTS.replace("sub(3, 1)", "2").replace("sub(3e9, 1e9)", "2e9")
    result = await graded(code, path="src/index.js", files=files, file=harness(test))
    assert result.verdict == "accepted"


async def test_of_listed_tests_each_has_its_points_and_one_that_is_not_reported_is_not_accepted(
    graded: Grader,
) -> None:
    cases = [{"name": "adds", "points": 3}, {"name": "no such test", "points": 2}]
    result = await graded(RIGHT, *cases, file=harness(UNIT_TESTS))
    assert [(case.name, case.verdict, case.points) for case in result.cases] == [
        ("adds", "accepted", 3),
        ("no such test", "runtime_error", 0),
    ]
    assert messages(result)[1] == "the harness reported no test of this name"


async def test_of_hidden_tests_nothing_is_shown_but_their_verdict(graded: Grader) -> None:
    cases: list[dict[str, Any]] = [{"name": "adds"}, {"name": NAMES[2], "hidden": True}]
    result = await graded(WRONG, *cases, file=harness(UNIT_TESTS))
    assert verdicts(result) == ["accepted", "wrong_answer"]
    assert "2000000001" not in result.model_dump_json()
    hidden = graded.hidden(result)["1"]
    assert "+ 2000000001" in hidden["message"]
    assert "not ok" in hidden["stdout"]["text"]


ENDS = {
    "a loop": ("for (;;);", "time_limit"),
    "an exception": ("throw new Error('at its start')", "runtime_error"),
    "an exit": ("process.exit(0)", "runtime_error"),
    "a signal": ("process.kill(process.pid, 'SIGKILL')", "runtime_error"),
}


@pytest.mark.parametrize("how", ENDS)
async def test_a_submission_that_ends_the_run_at_its_start_passes_no_test(graded: Grader, how: str) -> None:
    code, verdict = ENDS[how]
    limits = {"timeout_seconds": 1}
    unnamed = await graded(code, file=harness(UNIT_TESTS), limits=limits)
    assert [(case.name, case.verdict) for case in unnamed.cases] == [("all tests are run", verdict)]
    assert messages(unnamed) == ["no test was reported"]
    assert unnamed.verdict == verdict


async def test_a_submission_that_ends_the_run_later_keeps_what_was_reported_and_no_more(
    graded: Grader,
) -> None:
    code = RIGHT.replace("a - b", "process.exit(0)")
    result = await graded(code, file=harness(UNIT_TESTS))
    assert by_name(result) == {"adds": "accepted", "all tests are run": "runtime_error"}
    result = await graded(code, *named(*NAMES), file=harness(UNIT_TESTS))
    assert verdicts(result) == ["accepted", *["runtime_error"] * 3]
    assert messages(result)[1] == "the run ended before this test was reported"
