"""Cases through the local pool: the session is real, and so are the processes in it."""

from __future__ import annotations

import json
import secrets
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from worker.grading import Grading, verdict_of
from worker.identifiers import Identifiers
from worker.inputs import InputFetcher
from worker.job import validate_job
from worker.local.pool import PoolConfig
from worker.local.pool import SessionPool as LocalPool
from worker.permits import Permits
from worker.program import packed, run_program
from worker.session_leases import SessionLeases
from worker.sessions import open_sessions
from worker.settings import WorkerSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from worker.inputs import Content
    from worker.session_leases import Lease

SUM = """const fs = require("fs");
const [a, b] = fs.readFileSync(0, "utf8").split(" ").map(Number);
console.log(a + b);"""
EXPECT_3 = {"stdout": "3\n"}


class NoBlobs:
    async def read(self, blob: str, *, limit: int, etag: str | None = None) -> Content:
        raise AssertionError((blob, limit, etag))


@asynccontextmanager
async def session(**settings: object) -> AsyncIterator[tuple[Lease, WorkerSettings]]:
    token = secrets.token_hex()
    async with LocalPool(PoolConfig(token=token, spares=0, max_sessions=1)) as pool:
        given = {"pool_endpoint": pool.endpoint, "pool_token": token, "max_sessions": 1, **settings}
        values = WorkerSettings.model_validate(given)
        async with open_sessions(values, None) as sessions:
            leases = SessionLeases(sessions, Permits(1), Identifiers(b"secret"), values)
            async with leases.lend("a-session", None) as lease:
                yield lease, values
            await leases.close()


@pytest.fixture
async def here() -> AsyncIterator[tuple[Lease, WorkerSettings]]:
    async with session() as given:
        yield given


async def graded(
    here: tuple[Lease, WorkerSettings], code: str, *cases: dict[str, Any], **fields: object
) -> Grading:
    lease, settings = here
    body = {"version": 1, "id": "j1", "code": {"inline": code}, "cases": list(cases), **fields}
    job = validate_job(json.loads(json.dumps(body)))
    inputs = await InputFetcher(NoBlobs(), settings).fetch(job)
    grading = Grading(inputs.cases)
    for runs in packed(inputs.runs):
        for ran in await run_program(job, inputs, runs, lease, 1 << 20):
            await grading.take(ran, lease)
    return grading


def verdicts(grading: Grading) -> list[str]:
    return [case.verdict for case in grading.cases]


async def test_each_case_is_a_process_with_input_arguments_and_limits_of_its_own(
    here: tuple[Lease, WorkerSettings],
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
    grading = await graded(
        here,
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
    assert verdicts(grading) == [
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
    assert verdict_of(grading.cases) == "partial"
    assert grading.ran.status == "timed_out"
    assert grading.ran.error
    assert grading.ran.error.field == "cases.2"
    assert grading.cases[1].diff == "line 1 (- expected, + output):\n-3\n+4"
    assert "Error: thrown" in grading.cases[3].stderr.text


async def test_expected_answers_are_nowhere_in_the_session(here: tuple[Lease, WorkerSettings]) -> None:
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
    grading = await graded(here, spy, case)
    assert verdicts(grading) == ["wrong_answer"]
    assert grading.cases[0].stdout.text == "true the-control\n"


async def test_large_input_and_output_of_cases_are_compared_whole(here: tuple[Lease, WorkerSettings]) -> None:
    text = "".join(f"{number}\n" for number in range(60_000))
    cases = [
        {"name": "same", "stdin": text, "expect": {"stdout": text}, "compare": "exact"},
        {"name": "other", "stdin": text, "expect": {"stdout": text + "0\n"}, "compare": "exact"},
    ]
    grading = await graded(here, "process.stdin.pipe(process.stdout)", *cases)
    assert verdicts(grading) == ["accepted", "wrong_answer"]
    assert grading.cases[1].diff
    assert '+"0' not in grading.cases[1].diff
    assert grading.cases[0].stdout.truncated


async def test_a_run_that_removes_what_others_left_harms_only_itself(
    here: tuple[Lease, WorkerSettings],
) -> None:
    code = """const fs = require("fs");
    const remove = (name) => fs.rmSync(`/mnt/data/${name}`, { recursive: true });
    if (process.argv[2]) fs.readdirSync("/mnt/data").forEach(remove);
    else console.log("x".repeat(200000));"""
    grading = await graded(
        here, code, {"name": "writes"}, {"name": "removes", "args": ["all"]}, {"name": "writes again"}
    )
    assert verdicts(grading)[0] == "accepted"
    assert verdicts(grading)[2] == "accepted"


async def test_more_cases_than_an_execution_takes_run_in_the_same_session(
    here: tuple[Lease, WorkerSettings],
) -> None:
    cases = [{"name": f"c{n}", "stdin": f"{n} 1", "expect": {"stdout": f"{n + 1}"}} for n in range(4)]
    grading = await graded(here, SUM, *cases, limits={"timeout_seconds": 90})
    assert verdicts(grading) == ["accepted"] * 4
