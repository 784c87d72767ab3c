"""A manifest of hostile programs among harmless ones, run by one command."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.contract.pool.processes import descendants
from tests.system.worker.hostile import HOSTILE, Hostile
from tests.system.worker.processes import CANARY, run
from tests.system.worker.services import Services, eventually
from worker.local.state import StateDirectory

HARMLESS = 6


@dataclass(frozen=True)
class Graded:
    """What the command left."""

    status: int
    ids: list[str]
    results: list[dict[str, Any]]
    said: str

    def result(self, job_id: str) -> dict[str, Any]:
        return next(result for result in self.results if result["id"] == job_id)


def job(services: Services, name: str, hostile: Hostile, ports: list[int]) -> dict[str, Any]:
    """The program inline where JSON can carry it, else by blob."""
    document = {"version": 1, "id": name, "limits": {"timeout_seconds": 30} | hostile.limits}
    if isinstance(hostile.code, str) and hostile.extension == "js":
        return document | {"code": {"inline": hostile.code.replace("PORTS", str(ports))}}
    data = hostile.code if isinstance(hostile.code, bytes) else hostile.code.encode()
    return document | {
        "code": {"blob": services.upload(f"submissions/hostile/{name}.{hostile.extension}", data)}
    }


@pytest.fixture(scope="module")
def graded(services: Services, state: Path, tmp_path_factory: pytest.TempPathFactory) -> Graded:
    ports = list(json.loads((state / "ports.json").read_text()).values())
    jobs = [job(services, name, hostile, ports) for name, hostile in HOSTILE.items()]
    for n in range(HARMLESS):
        code = {"inline": f"setTimeout(() => console.log({n}), 100)"}
        jobs.insert(n * len(jobs) // HARMLESS, {"version": 1, "id": f"harmless-{n}", "code": code})
    jobs.append({"version": 1, "id": "rejected", "code": {"inline": ""}, "limits": {"timeout_seconds": 1e9}})
    folder = tmp_path_factory.mktemp("hostile")
    manifest, out = folder / "jobs.jsonl", folder / "out.jsonl"
    manifest.write_text("".join(json.dumps(job) + "\n" for job in jobs))
    options = ("--manifest", str(manifest), "--format", "jsonl", "--out", str(out), "--batch", folder.name)
    done = run("grade", "--local", "--state", str(state), *options)
    results = [json.loads(line) for line in out.read_text().splitlines()] if out.exists() else []
    return Graded(done.returncode, [job["id"] for job in jobs], results, done.stderr)


@pytest.mark.timeout(240)
def test_every_line_has_a_result_in_the_order_of_the_manifest(graded: Graded) -> None:
    assert graded.status == 0, graded.said
    assert [result["id"] for result in graded.results] == graded.ids


@pytest.mark.timeout(240)
@pytest.mark.parametrize("name", HOSTILE)
def test_each_program_has_its_true_status(graded: Graded, name: str) -> None:
    result, hostile = graded.result(name), HOSTILE[name]
    said = (result["stdout"]["text"][:300], result["stderr"]["text"][-300:], result["error"])
    assert (result["status"], result["attempts"]) == (hostile.status, 1), said
    if hostile.exit_code is not None:
        assert result["exit_code"] == hostile.exit_code
    if hostile.stdout is not None:
        assert result["stdout"]["text"] == hostile.stdout
    assert CANARY not in json.dumps(result)


@pytest.mark.timeout(240)
def test_their_neighbours_do_not_notice(graded: Graded) -> None:
    results = {n: graded.result(f"harmless-{n}") for n in range(HARMLESS)}
    assert {n: result["stdout"]["text"] for n, result in results.items()} == {
        n: f"{n}\n" for n in range(HARMLESS)
    }


@pytest.mark.timeout(240)
def test_output_is_bounded_and_says_that_it_was_cut(graded: Graded) -> None:
    stream = graded.result("output")["stdout"]
    assert stream["truncated"]
    assert stream["bytes"] == HOSTILE["output"].limits["output_bytes"]


@pytest.mark.timeout(240)
def test_bytes_that_are_no_text_are_kept_in_a_blob(graded: Graded, services: Services) -> None:
    assert services.blob(graded.result("no-text")["stdout"]["blob"]) == b"f\xff\xfeg"


@pytest.mark.timeout(240)
def test_a_job_that_cannot_run_has_a_result_too(graded: Graded) -> None:
    result = graded.result("rejected")
    assert (result["status"], result["error"]["field"]) == ("rejected", "limits.timeout_seconds")


@pytest.mark.timeout(240)
@pytest.mark.usefixtures("graded")
def test_nothing_of_them_is_left_running(services: Services, state: Path) -> None:
    assert services.sessions() == []
    holder = StateDirectory(state).holder()
    assert holder
    eventually(lambda: _programs_under(holder.pid) == [], 20)


def _programs_under(pid: int) -> list[str]:
    """The command lines of what runs under the stack, but for the stack itself and ready sessions."""
    lines = [_command_line(child) for child, _ in descendants(pid)]
    return [line for line in lines if "main." in line or "setInterval" in line]


def _command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""
