"""A chain on the local stack: a list, a job for each item, one that joins them; its worker is killed."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.system.worker.processes import killed, run, working
from tests.system.worker.services import Services, eventually, program

LIST = "console.log(JSON.stringify([1, 2, 3, 4, 5].map((n) => ({ n }))))"
SQUARE = """
const fs = require("fs");
const n = Number(process.argv[2]);
fs.writeFileSync("n.txt", `${n}`);
setTimeout(() => console.log(n * n), 300);
"""
SUM = """
const fs = require("fs");
const results = JSON.parse(fs.readFileSync("all.json", "utf8"));
const sum = results.reduce((total, one) => total + one.output, 0);
fs.writeFileSync("sum.txt", `sum ${sum}`.padEnd(20000));
console.log(JSON.stringify({ sum, jobs: results.length }));
"""
TELL = (
    "process.stdin.on('data', (d) => process.stdout.write(String(d).trim() + ' ' + process.argv[2] + '\\n'))"
)


def inline(code: str) -> dict[str, str]:
    """Code as a template has it."""
    return {"inline": code.replace("${", "$${")}


def chain(batch: str) -> dict[str, Any]:
    tell = {
        "code": inline(TELL),
        "stdin": {"from": "result/sum.txt"},
        "args": ["${to_string(result.output.jobs)}"],
    }
    join = {
        "code": inline(SUM),
        "files": [{"path": "all.json", "from": "results"}],
        "collect": ["sum.txt"],
        "then": [{"name": "tell", "job": tell}],
    }
    square = {"code": inline(SQUARE), "args": ["${to_string(item.n)}"], "collect": ["n.txt"]}
    step = {"name": "square", "each": "result.output", "job": square, "join": join}
    alarm = {"name": "alarm", "on": "failed", "job": {"code": inline("1")}}
    return program(batch, "p", LIST, then=[step, alarm])


@pytest.mark.timeout(180)
def test_a_chain_whose_worker_is_killed_comes_to_one_end(
    services: Services, batch: str, tmp_path: Path
) -> None:
    settings = {**services.environment, "JSWORKER_QUEUE": "chained", "JSWORKER_RETRY_BASE_SECONDS": "0.2"}
    services.send("chained", [chain(batch)])
    with killed(settings, tmp_path / "killed.log"):
        eventually(lambda: len(services.etags(batch)) > 2)
    before = services.etags(batch)
    with working(settings, tmp_path / "last.log"):
        watched = run("watch", f"{batch}/p", "--timeout", "60", settings=services.environment)
    assert watched.returncode == 0, watched.stderr
    after = services.etags(batch)
    names = {"p", "p.square.join", "p.square.join.tell", *(f"p.square.{n}" for n in range(5))}
    assert set(after) == names
    assert before.items() <= after.items()
    joined, told = services.result(batch, "p.square.join"), services.result(batch, "p.square.join.tell")
    assert joined
    assert json.loads(joined["stdout"]["text"]) == {"sum": 55, "jobs": 5}
    assert told
    assert told["stdout"]["text"] == "sum 55 5\n"
    assert "alarm: not taken (on failed)" in watched.stdout
    assert "square: 5 jobs: 5 succeeded" in watched.stdout
    explained = run(
        "explain", f"{batch}/p.square.join", settings={**services.environment, "JSWORKER_QUEUE": "chained"}
    )
    assert f"after      {batch}/p, by its step square" in explained.stdout
    assert (services.waiting("chained"), services.dead_letters("chained")) == ([], [])


def test_a_template_without_its_value_is_told_where_it_was_to_run(
    services: Services, served: str, batch: str
) -> None:
    then = [{"name": "next", "job": {"code": inline("1"), "args": ["${result.output.name}"]}}]
    services.send(served, [program(batch, "p", "console.log('{}')", then=then)])
    result = services.results(batch, ["p.next"])["p.next"]
    assert (result["status"], result["error"]["code"]) == ("rejected", "template_value_missing")
    assert result["error"]["field"] == "args.0"
