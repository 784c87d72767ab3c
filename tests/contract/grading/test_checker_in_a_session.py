"""Checkers and files of cases through the local pool."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.contract.grading.grader import messages, verdicts

if TYPE_CHECKING:
    from tests.contract.grading.grader import Grader

pytestmark = pytest.mark.asyncio(loop_scope="module")

ECHO = "process.stdin.pipe(process.stdout)"
PERMUTATION = """const fs = require("fs");
const sorted = (name) => fs.readFileSync(name, "utf8").trim().split(/\\s+/).sort().join();
if (sorted("output.txt") === sorted("input.txt")) process.exit(0);
console.log("it is no permutation of the input");
process.exit(1);"""
BY_OUTPUT = """const fs = require("fs");
const [how, ...rest] = fs.readFileSync("output.txt", "utf8").split("\\n");
if (how === "score") console.log(rest.join("\\n"));
if (how === "throw") throw new Error("of the checker");
if (how === "loop") process.kill(process.pid, "SIGKILL");
if (how === "expected") console.log(fs.existsSync("expected.txt"), fs.readFileSync("expected.txt", "utf8"));
if (how === "code") process.exit(Number(rest[0]));
const left = fs.readdirSync("/mnt/data").filter((name) => !name.startsWith("run-"));
if (how === "find") console.log(left.join());"""


def checked(*stdins: str, **fields: object) -> list[dict[str, Any]]:
    return [{"name": stdin, "stdin": stdin, "compare": "checker", **fields} for stdin in stdins]


def by(code: str, **fields: object) -> dict[str, Any]:
    return {"checker": {"inline": code}, **fields}


async def test_a_checker_judges_what_has_many_right_answers(graded: Grader) -> None:
    code = "console.log(require('fs').readFileSync(0, 'utf8').trim().split(' ').reverse().join('\\n'))"
    result = await graded(code, *checked("3 1 2", "5"), file=by(PERMUTATION))
    assert verdicts(result) == ["accepted", "accepted"]
    wrong = await graded("console.log(1)", *checked("3 1 2", "1"), file=by(PERMUTATION))
    assert verdicts(wrong) == ["wrong_answer", "accepted"]
    assert messages(wrong) == ["it is no permutation of the input", None]
    assert wrong.timings.check_ms


async def test_a_checker_may_give_a_share_of_the_points(graded: Grader) -> None:
    answer = 'score\n{"score": 0.25, "message": "close"}'
    result = await graded(ECHO, *checked(answer, 'score\n{"score": 2}', points=4), file=by(BY_OUTPUT))
    assert [(case.verdict, case.points) for case in result.cases] == [
        ("wrong_answer", 1),
        ("internal_error", 0),
    ]
    assert result.cases[0].message == "close"
    assert "score: Input should be less than or equal to 1" in str(result.cases[1].message)
    assert result.verdict == "internal_error"  # what it is worth is not known


async def test_a_checker_that_fails_is_no_wrong_answer(graded: Grader) -> None:
    result = await graded(ECHO, *checked("throw", "loop", "code\n2", "code\n1"), file=by(BY_OUTPUT))
    assert verdicts(result) == ["internal_error", "internal_error", "internal_error", "wrong_answer"]
    assert "of the checker" in str(result.cases[0].message)


async def test_a_checker_sees_what_is_expected_and_nothing_of_the_submissions_session(graded: Grader) -> None:
    code = f"require('fs').writeFileSync('/mnt/data/left', ''); {ECHO}"
    cases = [*checked("expected", expect={"stdout": "the answer"}), *checked("find")]
    result = await graded(code, *cases, file=by(BY_OUTPUT))
    assert messages(result) == ["true the answer", None]


async def test_output_that_is_too_long_for_the_checker_is_a_wrong_answer(graded: Grader) -> None:
    result = await graded("console.log('x'.repeat(1 << 20))", *checked("a"), file=by(BY_OUTPUT))
    assert verdicts(result) == ["wrong_answer"]
    assert result.cases[0].diff == "the output has over 1,048,576 bytes"


async def test_what_a_checker_says_of_a_hidden_case_is_kept_apart(graded: Grader) -> None:
    result = await graded("console.log(1)", *checked("secret", hidden=True), file=by(PERMUTATION))
    assert messages(result) == [None]
    assert graded.hidden(result)["0"]["message"] == "it is no permutation of the input"
    assert graded.hidden(result)["0"]["stdout"]["text"] == "1\n"


async def test_files_of_a_case_lie_over_those_of_the_job(graded: Grader) -> None:
    code = "for (const n of ['a.txt', 'b/c.txt']) console.log(require('fs').readFileSync(n, 'utf8'))"
    files = [{"path": "a.txt", "inline": "job"}, {"path": "b/c.txt", "inline": "job"}]
    own = [{"path": "a.txt", "inline": "case"}, {"path": "b/c.txt", "inline": "x" * 200_000}]
    cases: list[dict[str, Any]] = [
        {"name": "own", "files": own, "expect": {"stdout": f"case\n{'x' * 200_000}\n"}},
        {"name": "the job's", "expect": {"stdout": "job\njob\n"}},
    ]
    assert verdicts(await graded(code, *cases, files=files)) == ["accepted", "accepted"]


async def test_after_the_first_failure_nothing_counts_and_little_is_run(graded: Grader) -> None:
    stop = {"stop_at_first_failure": True}
    cases = [{"name": str(n), "stdin": str(n), "expect": {"stdout": str(n)}} for n in range(12)]
    code = "const t = require('fs').readFileSync(0, 'utf8'); if (t === '2') process.exit(4); console.log(t)"
    result = await graded(code, *cases, file=stop)
    assert verdicts(result) == ["accepted", "accepted", "runtime_error", *["skipped"] * 9]
    assert result.score
    assert (result.score.points, result.score.of, result.exit_code) == (2, 12, 4)
    result = await graded("console.log(1)", *cases[1:], file=stop)
    assert verdicts(result) == ["accepted", "wrong_answer", *["skipped"] * 9]


async def test_the_first_failure_may_be_one_that_the_checker_finds(graded: Grader) -> None:
    cases = checked("code\n0", "code\n1", "code\n0")
    result = await graded(ECHO, *cases, file=by(BY_OUTPUT, stop_at_first_failure=True))
    assert verdicts(result) == ["accepted", "wrong_answer", "skipped"]
