"""``jsworker top`` beside a worker that another command has started on the local stack."""

from __future__ import annotations

import json
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tests.system.worker.processes import COMMAND, ROOT, environment, run
from worker.local.workers import ports

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.system.worker.services import Services

SECONDS = 60.0
QUICK, SLOW = "console.log(1)", "setTimeout(() => {}, 120000)"


@contextmanager
def grading(state: Path, programs: Path, batch: str) -> Iterator[subprocess.Popen[str]]:
    """The command that runs programs on the stack of a state directory; killed if it does not end."""
    with subprocess.Popen(  # noqa: S603 - our own command
        [*COMMAND, "grade", "--local", "--state", str(state), "--batch", batch, str(programs)],
        cwd=ROOT,
        env={**environment(), "JSWORKER_DEFAULT_TIMEOUT_SECONDS": "150"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def seen(state: Path) -> dict[str, Any]:
    """What there is to be seen on the stack."""
    printed = run("top", "--local", "--state", str(state), "--json")
    assert (printed.returncode, printed.stderr) == (0, "")
    document: dict[str, Any] = json.loads(printed.stdout)
    return document


def seen_with_quick_jobs_done(state: Path) -> dict[str, Any]:
    """What is to be seen once only slow jobs are left, and the quick ones' slots and sessions are free."""
    deadline = time.monotonic() + SECONDS
    while True:
        document = seen(state)
        if (worker := document["worker"]) and worker["rates"]["total"] == 2:
            gauges = worker["gauges"]
            if gauges["slots"]["busy"] == gauges["sessions"]["allocated"] == document["sessions"] == 1:
                return document
        assert time.monotonic() < deadline, document


def test_the_worker_of_a_command_is_found_and_its_jobs_queue_and_sessions_are_seen(
    state: Path, services: Services, batch: str, tmp_path: Path
) -> None:
    for name, code in {"a-quick": QUICK, "b-quick": QUICK, "c-slow": SLOW}.items():
        (tmp_path / f"{name}.js").write_text(code)
    with grading(state, tmp_path, batch) as process:
        document = seen_with_quick_jobs_done(state)
        worker = document["worker"]
        assert worker["gauges"]["sessions"] == {"allocated": 1, "busy": 1, "kept": 0, "quarantined": 0}
        assert {job["id"] for job in worker["recent"]} == {"a-quick", "b-quick"}
        assert set(worker["phases"]) >= {"queued", "fetch", "execute", "release"}
        assert document["queues"] == [{"name": "jobs", "active": 1, "scheduled": 0, "dead_lettered": 0}]
        assert (document["max_sessions"], document["troubles"]) == (4, [])
        shown = run("top", "--local", "--state", str(state), "--once")
        assert (shown.returncode, shown.stderr) == (0, "")
        for part in ("slots: 1 of", "sessions: 1 allocated", "2 succeeded", "a-quick", "pool: 1 of 4"):
            assert part in shown.stdout
        assert run("cancel", batch, settings=services.environment).returncode == 0
        assert process.wait(SECONDS) == 0
    assert ports(state) == []


def test_where_no_local_stack_runs_it_says_so(tmp_path: Path) -> None:
    ended = run("top", "--local", "--state", str(tmp_path))
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "start it with `jsworker local up`" in ended.stderr
