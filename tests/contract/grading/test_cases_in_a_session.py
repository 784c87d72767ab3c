"""Cases through the local pool: the session is real, and so are the processes in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.contract.grading.grader import verdicts

if TYPE_CHECKING:
    from tests.contract.grading.grader import Grader

pytestmark = pytest.mark.asyncio(loop_scope="module")

SUM = """const fs = require("fs");
const [a, b] = fs.readFileSync(0, "utf8").split(" ").map(Number);
console.log(a + b);"""
EXPECT_3 = {"stdout": "3\n"}


async def test_each_case_is_a_process_with_input_arguments_and_limits_of_its_own(
    graded: Grader,
) -> None:
    code = f"""const [how] = process.argv.slice(2);
    globalThis.count = (globalThis.count || 0) + 1;
    require("fs").writeFileSync("count", "1", {{ flag: "wx" }});
    if (how === "loop") while (true);
    if (how === "throw") throw new Error("thrown");
    if (how === "three") process.exitCode = 3;
    if (how === "write") for (;;) console.log("x".repeat(1000));
    if (how === "hoard") for (const all = []; ; ) all.push(new Array(1e5).fill(Math.random()));
    {SUM}"""
    three = {"stdin": "1 2", "expect": EXPECT_3}
    result = await graded(
        code,
        {"name": "right", **three},
        {"name": "wrong", "stdin": "2 2", "expect": EXPECT_3},
        {"name": "loops", **three, "args": ["loop"], "limits": {"timeout_seconds": 1}},
        {"name": "throws", **three, "args": ["throw"]},
        {"name": "writes", **three, "args": ["write"], "limits": {"output_bytes": 10_000}},
        {"name": "hoards", **three, "args": ["hoard"], "limits": {"memory_mb": 64, "timeout_seconds": 30}},
        {"name": "unexpected code", **three, "args": ["three"]},
        {"name": "expected code", "stdin": "1 2", "args": ["three"], "expect": EXPECT_3 | {"exit_code": 3}},
        {"name": "right again", **three},
    )
    assert verdicts(result) == [
        "accepted",
        "wrong_answer",
        "time_limit",
        "runtime_error",
        "output_limit",
        "memory_limit",
        "runtime_error",
        "accepted",
        "accepted",
    ]
    assert result.verdict == "partial"
    assert result.status == "timed_out"
    assert result.error
    assert result.error.field == "cases.2"
    assert result.cases[1].diff == "line 1 (- expected, + output):\n-3\n+4"
    assert "Error: thrown" in result.cases[3].stderr.text


async def test_expected_answers_are_nowhere_in_the_session(graded: Grader) -> None:
    spy = """const fs = require("fs");
    const entries = (folder) => {
      try { return fs.readdirSync(folder, { withFileTypes: true }); } catch { return []; }
    };
    const files = (folder) => entries(folder).flatMap((entry) => {
      const name = `${folder}/${entry.name}`;
      return entry.isDirectory() ? files(name) : entry.isFile() ? [name] : [];
    });
    const processes = entries("/proc").filter(({ name }) => /^\\d+$/.test(name));
    const told = processes.flatMap(({ name }) => [`/proc/${name}/cmdline`, `/proc/${name}/environ`]);
    const seen = new Set();
    for (const file of [...files("/mnt/data"), ...files("/tmp"), ...told]) {
      let text = "";
      try { text = fs.readFileSync(file, "latin1"); } catch { continue; }
      for (const found of text.match(/the-(expected-[a]nswer|contro[l])/g) || []) seen.add(found);
    }
    console.log(processes.length > 1, [...seen].join());"""
    case = {"name": "a", "stdin": "the-control", "expect": {"stdout": "the-expected-answer"}}
    result = await graded(spy, case)
    assert verdicts(result) == ["wrong_answer"]
    assert result.cases[0].stdout.text == "true the-control\n"


async def test_large_input_and_output_of_cases_are_compared_whole(graded: Grader) -> None:
    text = "".join(f"{number}\n" for number in range(60_000))
    cases = [
        {"name": "same", "stdin": text, "expect": {"stdout": text}, "compare": "exact"},
        {"name": "other", "stdin": text, "expect": {"stdout": text + "0\n"}, "compare": "exact"},
    ]
    result = await graded("process.stdin.pipe(process.stdout)", *cases)
    assert verdicts(result) == ["accepted", "wrong_answer"]
    assert result.cases[1].diff
    assert '+"0' not in result.cases[1].diff
    assert result.cases[0].stdout.truncated


async def test_a_run_that_removes_what_others_left_harms_only_itself(
    graded: Grader,
) -> None:
    code = """const fs = require("fs");
    const remove = (name) => fs.rmSync(`/mnt/data/${name}`, { recursive: true });
    if (process.argv[2]) fs.readdirSync("/mnt/data").forEach(remove);
    else console.log("x".repeat(200000));"""
    result = await graded(
        code, {"name": "writes"}, {"name": "removes", "args": ["all"]}, {"name": "writes again"}
    )
    assert verdicts(result)[0] == "accepted"
    assert verdicts(result)[2] == "accepted"


async def test_more_cases_than_an_execution_takes_run_in_the_same_session(
    graded: Grader,
) -> None:
    cases = [{"name": f"c{n}", "stdin": f"{n} 1", "expect": {"stdout": f"{n + 1}"}} for n in range(4)]
    result = await graded(SUM, *cases, limits={"timeout_seconds": 90})
    assert verdicts(result) == ["accepted"] * 4
