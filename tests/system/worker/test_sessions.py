"""Who shares a session with whom, seen from inside the sessions."""

from pathlib import Path

from tests.system.worker.processes import working
from tests.system.worker.services import Services, program

# Where it runs shows in what a job before it left in the session: a program has a folder of its own in it.
VISITS = """
const fs = require("fs");
const visits = (fs.existsSync("/mnt/data/visits") ? fs.readFileSync("/mnt/data/visits", "utf8") : "") + NAME;
fs.writeFileSync("/mnt/data/visits", visits);
console.log(visits);
"""


def visit(batch: str, job_id: str, policy: str, key: str | None = None) -> dict[str, object]:
    code = VISITS.replace("NAME", repr(job_id[0]))
    return program(batch, job_id, code, session={"policy": policy, "key": key})


def test_a_session_is_shared_with_those_of_its_key_or_with_all_but_never_when_fresh(
    services: Services, batch: str, tmp_path: Path
) -> None:
    jobs = [
        *(visit(batch, f"a{n}", "keyed", "ann") for n in range(3)),
        *(visit(batch, f"b{n}", "keyed", "bob") for n in range(3)),
        *(visit(batch, f"s{n}", "shared") for n in range(3)),
        *(visit(batch, f"f{n}", "fresh") for n in range(3)),
    ]
    ids = services.send("owned", jobs)
    settings = {**services.environment, "JSWORKER_QUEUE": "owned", "JSWORKER_MAX_SESSIONS": "4"}
    with working(settings, tmp_path / "worker.log"):
        results = services.results(batch, ids)
        kept = services.sessions()
    seen = {job_id: result["stdout"]["text"].strip() for job_id, result in results.items()}
    assert sorted(seen[f"a{n}"] for n in range(3)) == ["a", "aa", "aaa"]
    assert sorted(seen[f"b{n}"] for n in range(3)) == ["b", "bb", "bbb"]
    assert {seen[f"f{n}"] for n in range(3)} == {"f"}
    assert {frozenset(seen[f"s{n}"]) for n in range(3)} == {frozenset("s")}
    assert {job_id[0]: result["session"] for job_id, result in results.items()} == {
        "a": {"policy": "keyed"},
        "b": {"policy": "keyed"},
        "s": {"policy": "shared"},
        "f": {"policy": "fresh"},
    }
    assert 0 < len(kept) <= 4
    assert services.sessions() == []


def test_the_global_scope_of_cells_is_shared_as_the_policy_says(
    services: Services, batch: str, tmp_path: Path
) -> None:
    cell = "globalThis.count = (globalThis.count || 0) + 1"
    jobs = [
        program(batch, f"{policy}-{n}", cell, mode="cell", session={"policy": policy})
        for n in range(3)
        for policy in ("fresh", "shared")
    ]
    ids = services.send("owned", jobs)
    settings = {**services.environment, "JSWORKER_QUEUE": "owned", "JSWORKER_MAX_SESSIONS": "2"}
    with working(settings, tmp_path / "worker.log"):
        results = services.results(batch, ids)
    values = {job_id: int(result["value"]) for job_id, result in results.items()}
    assert {values[f"fresh-{n}"] for n in range(3)} == {1}
    assert max(values[f"shared-{n}"] for n in range(3)) > 1


def test_what_a_cell_throws_or_returns_is_told_whatever_characters_it_has(
    services: Services, served: str, batch: str
) -> None:
    codes = {
        "throws": "throw new Error('lone \\ud800 end')",
        "returns": "'lone \\ud800 end'",
        "prints": "console.log('lone \\ud800 \\u0000 end')",
    }
    ids = services.send(served, [program(batch, name, code, mode="cell") for name, code in codes.items()])
    results = services.results(batch, ids)
    assert {name: result["status"] for name, result in results.items()} == {
        "throws": "failed",
        "returns": "succeeded",
        "prints": "succeeded",
    }
    assert results["throws"]["error"]["message"].startswith("Error: lone ")
    assert {result["attempts"] for result in results.values()} == {1}
