"""Everything is killed at once in the middle of a batch; the same command goes on where it was."""

import json
import random
import secrets
import signal
import subprocess
import time
from contextlib import suppress
from os import kill
from pathlib import Path

import pytest

from tests.contract.pool.processes import all_end, descendants
from tests.system.worker.conftest import declare_queues
from tests.system.worker.processes import COMMAND, ROOT, environment
from tests.system.worker.services import eventually, program

JOBS = 24


def kill_all(process: subprocess.Popen[bytes]) -> None:
    """Kill the command, its worker, the three services and the sessions."""
    processes = descendants(process.pid)
    for pid in [process.pid, *(pid for pid, _ in processes)]:
        with suppress(ProcessLookupError):
            kill(pid, signal.SIGKILL)
    process.wait()
    assert all_end(processes)


def finished(log: Path) -> set[str]:
    """The jobs whose worker has logged that they are completed."""
    if not log.exists():
        return set()
    lines = [line for line in log.read_text().splitlines(keepends=True) if line.endswith("}\n")]
    return {event["job"] for event in map(json.loads, lines) if event.get("event") == "job_completed"}


@pytest.mark.timeout(180)
def test_every_job_has_exactly_one_result_when_the_whole_stack_is_killed_and_started_again(
    tmp_path: Path, batch: str
) -> None:
    seed = secrets.randbits(32)
    print(f"seed {seed}")  # noqa: T201 - to repeat a failure
    moments = random.Random(seed)  # noqa: S311 - no secret depends on it
    state, manifest, out = tmp_path / "state", tmp_path / "jobs.jsonl", tmp_path / "results.jsonl"
    declare_queues(state, {"jobs": 3})
    code = "setTimeout(() => console.log(process.argv[2]), 200)"
    jobs = [program(batch, f"s{n}", code, args=[f"{n}"]) for n in range(JOBS)]
    manifest.write_text("".join(json.dumps(job) + "\n" for job in jobs))
    command = [*COMMAND, "grade", "--local", "--state", str(state), "--manifest", str(manifest)]
    command += ["--batch", batch, "--format", "jsonl", "--out", str(out)]
    log = state / "logs" / f"{batch}.log"
    for _ in range(2):
        before = len(finished(log))
        with (tmp_path / "grade.log").open("ab") as stderr:
            process = subprocess.Popen(command, cwd=ROOT, env=environment(), stderr=stderr)  # noqa: S603 - ours
        try:
            eventually(lambda before=before: len(finished(log)) > before)  # type: ignore[misc] # a default
            time.sleep(moments.uniform(0, 0.7))
        finally:
            kill_all(process)
    assert len(finished(log)) < JOBS
    done = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, check=False)  # noqa: S603 - ours
    assert done.returncode == 0, done.stderr
    results = [json.loads(line) for line in out.read_text().splitlines()]
    assert [(result["id"], result["stdout"]["text"]) for result in results] == [
        (f"s{n}", f"{n}\n") for n in range(JOBS)
    ]
    assert {result["status"] for result in results} == {"succeeded"}
    logged = [event for line in log.read_text().splitlines() if (event := json.loads(line))]
    assert [event for event in logged if event["event"] == "result_discarded"] == []
