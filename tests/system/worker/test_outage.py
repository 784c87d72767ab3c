"""The pool is out of reach for a while and jobs wait for it."""

import os
from pathlib import Path

import pytest

from tests.chaos.scenarios import outage
from tests.system.worker.processes import MARK


async def test_no_job_is_given_up_or_spends_an_attempt_while_the_pool_is_down_and_work_resumes_soon_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(MARK, str(os.getpid()))
    findings = await outage(tmp_path, seconds=8, jobs=50)
    assert findings.wrong == [], findings.figures
