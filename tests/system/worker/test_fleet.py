"""Several workers share the sessions of one pool without a service between them."""

import os
from pathlib import Path

import pytest

from tests.chaos.scenarios import fleet
from tests.system.worker.processes import MARK


async def test_three_workers_of_which_one_is_killed_never_have_more_sessions_than_one_may(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(MARK, str(os.getpid()))
    findings = await fleet(tmp_path, jobs=60, milliseconds=300)
    assert findings.wrong == [], findings.figures
