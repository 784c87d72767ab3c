"""A submission that shares its process with the tests and wants them to pass: what it cannot do.

What it can, all who run tests in the process of what they test must live with; see docs/cases.md.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.contract.grading.grader import Grader

pytestmark = pytest.mark.asyncio(loop_scope="module")

FOLDER = Path(__file__).parent / "attacks"
BEGIN = "begin"
ATTACKS = sorted(file.stem for file in FOLDER.glob("*.js") if file.stem != BEGIN)
CASES = [{"name": "adds", "points": 3}]
TESTS = """const { test } = require("node:test");
const assert = require("node:assert");
const { add } = require("./submission.js");
test("adds", () => assert.strictEqual(add(1, 2), 3));"""
LOADS_LATE = """const { add } = require("./submission.js");
const { test } = require("node:test");
const { strictEqual } = require("assert");
test("adds", () => strictEqual(add(1, 2), 3));"""
MODULES = """const { add } = await import("./submission.js");
const { test } = await import("node:test");
const { default: assert } = await import("node:assert");
test("adds", () => assert.equal(add(1, 2), 3));"""
LIST = """const report = takeReport();
const { add } = require("./submission.js");
const ok = add(1, 2) === 3;
console.log(JSON.stringify(ok));
report([{ name: "adds", ok }]);
process.exit(ok ? 0 : 1);"""
STYLES = {
    "tests": ("node-test", TESTS),
    "tests that load late": ("node-test", LOADS_LATE),
    "modules": ("node-test", MODULES),
    "a list": ("json", LIST),
}
ATTEMPTS = [
    *((attack, style) for attack in ATTACKS for style in ("tests", "a list")),
    ("patches_how_modules_are_loaded", "tests that load late"),
    ("patches_how_modules_are_loaded", "modules"),
    ("patches_what_asserts", "modules"),
]


def harness(style: str) -> dict[str, Any]:
    reports, code = STYLES[style]
    return {"harness": {"code": {"inline": code}, "style": reports}}


@pytest.mark.parametrize("style", STYLES)
async def test_a_right_submission_passes(graded: Grader, style: str) -> None:
    result = await graded("exports.add = (a, b) => a + b;", *CASES, file=harness(style))
    assert result.verdict == "accepted"


@pytest.mark.parametrize(("attack", "style"), ATTEMPTS)
async def test_a_wrong_submission_gains_nothing(graded: Grader, attack: str, style: str) -> None:
    code = "".join((FOLDER / f"{name}.js").read_text() for name in (BEGIN, attack))
    result = await graded(code, *CASES, file=harness(style), limits={"timeout_seconds": 5})
    assert result.score
    assert (result.score.points, result.score.of) == (0, 3), result
    assert "looked" not in result.stdout.text
