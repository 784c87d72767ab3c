"""One stack for all of the doctor's tests; no variables but those of the test, and nothing is left behind."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from tests.system.doctor.stack import Stack
from tests.system.worker.services import Services
from worker.local.background import start_in_background, stop
from worker.local.config import StackConfig

if TYPE_CHECKING:
    from collections.abc import Iterator

SESSIONS = 2
WELL = {
    "lock_duration_seconds": 60,
    "max_delivery_count": 20,
    "dead_lettering_on_expiration": True,
    "duplicate_detection_window_seconds": 600,
}
QUEUES: dict[str, dict[str, object]] = {
    "jobs": {},
    "hasty": {"lock_duration_seconds": 5},
    "impatient": {"max_delivery_count": 3},
    "forgetful": {"dead_lettering_on_expiration": False},
    "brief": {"default_ttl_seconds": 60},
    "repeating": {"duplicate_detection_window_seconds": None},
}


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("doctor")
    faults, state = folder / "faults.json", folder / "state"
    faults.write_text("{}")
    state.mkdir()
    queues = [{"name": name, **WELL, **other} for name, other in QUEUES.items()]
    (state / "queues.json").write_text(json.dumps({"queues": queues}))
    config = StackConfig(state_dir=state, max_sessions=SESSIONS, faults_file=faults)
    environment = {**start_in_background(config), "JSWORKER_QUEUE": "jobs"}
    services = Services(environment)
    try:
        yield Stack(environment, faults, state / "logs", services)
    finally:
        services.close()
        assert stop(state)


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("JSWORKER_", "AZURE_", "IDENTITY_"))]:
        monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def nothing_is_left(stack: Stack) -> Iterator[None]:
    """What was written or allocated for a check is removed, whatever was wrong."""
    yield
    assert stack.left_behind() == []
