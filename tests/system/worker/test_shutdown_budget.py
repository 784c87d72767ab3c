"""A worker that is stopped with long jobs under way trusts nobody to wait for it."""

import os
from pathlib import Path

import pytest

from tests.chaos.scenarios import shutdown
from tests.system.worker.processes import MARK


async def test_a_worker_ends_within_its_grace_and_its_jobs_end_elsewhere_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(MARK, str(os.getpid()))
    # other tests share the processors: the promise of two seconds is measured by `make chaos`
    findings = await shutdown(tmp_path, grace_seconds=2, budget_seconds=10)
    assert findings.wrong == [], findings.figures
