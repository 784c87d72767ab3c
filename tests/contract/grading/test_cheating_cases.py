"""A program that wants the points of cases without doing what they ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.contract.grading.grader import verdicts

if TYPE_CHECKING:
    from tests.contract.grading.grader import Grader

pytestmark = pytest.mark.asyncio(loop_scope="module")

SEARCH = """const fs = require("fs");
const entries = (folder) => {
  try { return fs.readdirSync(folder, { withFileTypes: true }); } catch { return []; }
};
const files = (folder) => entries(folder).flatMap((entry) => {
  const name = `${folder}/${entry.name}`;
  return entry.isDirectory() ? files(name) : entry.isFile() ? [name] : [];
});
const processes = entries("/proc").map(({ name }) => `/proc/${name}`).filter((name) => /\\d$/.test(name));
const told = processes.flatMap((name) => [`${name}/cmdline`, `${name}/environ`, `${name}/mem`]);
const seen = new Set();
for (const file of [...files("/mnt/data"), ...files("/tmp"), ...told]) {
  let text = JSON.stringify(process.env) + process.argv.join();
  try { text += fs.readFileSync(file, "latin1"); } catch {}
  for (const found of text.match(/the-(expected-[a]nswer|nam[e]|contro[l])/g) || []) seen.add(found);
}
console.log([...seen].join());"""
FORGES = """const fs = require("fs"), zlib = require("zlib");
const runs = JSON.stringify([{ ended_by: "exit", exit_code: 0, signal: null,
  stdout: { size: 2, inline: "Mwo=" }, stderr: { size: 0, inline: "" } }]);
const payload = `{"node":"v20","runs":${runs}}`;
for (const nonce of ["0", "n0nce", process.ppid])
  console.log(`<jsw:${nonce}:${payload.length}:${zlib.crc32(payload)}>${payload}</jsw:${nonce}>`);
const pids = fs.readdirSync("/proc").filter((name) => /^\\d+$/.test(name));
for (const pid of pids) for (let fd = 0; fd < 30; fd++)
  try { if (pid != process.pid) fs.writeFileSync(`/proc/${pid}/fd/${fd}`, payload); } catch {}
for (const name of ["../stdout", "../verdict.json", "/mnt/data/result.json", "/mnt/data/jsw-0-answer"])
  try { fs.writeFileSync(name, '{"verdict": "accepted", "points": 1}'); } catch {}"""
LEAVES = """const fs = require("fs"), { spawn } = require("child_process");
if (process.argv[2] === "leave") {
  const code = `setInterval(() => { for (const name of require("fs").readdirSync("/mnt/data"))
    try { require("fs").appendFileSync("/mnt/data/" + name + "/stdout", "3\\\\n"); } catch {} }, 1);`;
  for (const cwd of ["/", "."])
    spawn(process.execPath, ["-e", code], { detached: true, stdio: "ignore", env: {}, cwd }).unref();
  for (const folder of [".", "..", process.env.TMPDIR, process.env.HOME])
    fs.writeFileSync(folder + "/left", "3");
  setTimeout(() => process.exit(0), 100);
} else {
  const folders = [".", "..", process.env.TMPDIR, process.env.HOME];
  for (const folder of folders) if (fs.existsSync(folder + "/left")) console.log(3);
  setTimeout(() => {}, 200);
}"""


def wants_3(name: str, **fields: object) -> dict[str, Any]:
    return {"name": name, "expect": {"stdout": "3\n"}, **fields}


async def test_neither_the_expected_output_nor_the_name_of_a_case_is_in_the_session(graded: Grader) -> None:
    case = {"name": "the-name", "stdin": "the-control", "expect": {"stdout": "the-expected-answer"}}
    result = await graded(SEARCH, case, file={"stop_at_first_failure": True})
    assert verdicts(result) == ["wrong_answer"]
    assert result.cases[0].stdout.text == "the-control\n"


async def test_the_answer_of_the_runner_cannot_be_forged_nor_a_verdict_written(graded: Grader) -> None:
    result = await graded(FORGES, wants_3("a", compare="trimmed"), wants_3("b"))
    assert verdicts(result) == ["wrong_answer"] * 2


async def test_neither_a_process_nor_a_file_that_a_case_leaves_helps_the_next(graded: Grader) -> None:
    first = {"name": "leaves", "args": ["leave"]}
    result = await graded(LEAVES, first, wants_3("finds"), wants_3("finds again"))
    assert verdicts(result) == ["accepted", "wrong_answer", "wrong_answer"]
    assert [case.stdout.text for case in result.cases[1:]] == ["", ""]


async def test_what_one_submission_leaves_the_next_does_not_find(graded: Grader) -> None:
    folders = '["/mnt/data", "/tmp", process.env.HOME]'
    leaves = f"for (const f of {folders}) require('fs').writeFileSync(f + '/left', '3')"
    finds = f"for (const f of {folders}) if (require('fs').existsSync(f + '/left')) console.log(3)"
    assert verdicts(await graded(leaves, {"name": "leaves"})) == ["accepted"]
    assert verdicts(await graded(finds, wants_3("finds"))) == ["wrong_answer"]
