"""A short run of `make chaos`: workers and services fail in many ways, and every promise is kept."""

import os
import secrets
from pathlib import Path

import pytest

from tests.chaos.report import figures
from tests.chaos.run import Plan, run
from tests.system.worker.processes import MARK

JOBS = 120


@pytest.mark.timeout(180)
async def test_every_promise_is_kept_while_workers_and_services_fail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(MARK, str(os.getpid()))
    seed = secrets.randbits(32)
    print(f"seed {seed}")  # noqa: T201 - to repeat a failure: make chaos ARGS="--jobs 120 --minutes 0.2 --seed …"
    report = await run(Plan(seed, JOBS, chaos_seconds=12), tmp_path)
    print(figures(report))  # noqa: T201 - what a failure is judged by
    assert report.broken == []
