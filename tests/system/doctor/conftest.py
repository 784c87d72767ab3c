"""One stack for all of the doctor's tests; no JSWORKER_ variable but those of the test."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.system.doctor.stack import Stack
from worker.local.background import start_in_background, stop
from worker.local.config import StackConfig

if TYPE_CHECKING:
    from collections.abc import Iterator

SESSIONS = 2


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("doctor")
    faults, state = folder / "faults.json", folder / "state"
    faults.write_text("{}")
    config = StackConfig(state_dir=state, max_sessions=SESSIONS, faults_file=faults)
    environment = start_in_background(config)
    try:
        yield Stack(environment, faults, state / "logs")
    finally:
        assert stop(state)


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("JSWORKER_", "AZURE_", "IDENTITY_"))]:
        monkeypatch.delenv(name)
