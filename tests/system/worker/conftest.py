"""One stack for all tests that do not kill it, and one worker for all that only send."""

import json
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.pool.processes import all_end, descendants
from tests.system.worker.processes import left_behind, run, working
from tests.system.worker.services import Services
from worker.local.background import running
from worker.local.state import StateDirectory

SESSIONS = 4
LOCK_SECONDS = {"jobs": 60, "served": 60, "killed": 3, "stopped": 60, "hastened": 60, "drained": 60}
LOCK_SECONDS |= {"entry": 60, "pool": 60, "identity": 60, "owned": 60, "cancelled": 60, "reconciled": 3}
LOCK_SECONDS |= {"dead": 6, "regraded": 60, "urgent": 60, "ordinary": 60, "fair": 60}
LOCK_SECONDS |= {"hooked": 60}
LOCK_SECONDS |= {"hooks": 60, "hooks-given-up": 60, "hooks-drained": 60}
LOCK_SECONDS |= {"chained": 3}
LOCK_SECONDS |= {"scheduled": 60}
LOCK_SECONDS |= {"events": 60, "pipeline": 60, "pipeline-hooks": 60, "pipeline-events": 60}
LOCK_SECONDS |= {"telling": 60, "told": 60}
LOCK_SECONDS |= {"measured": 60}
DETECTS_DUPLICATES = {"scheduled", "pipeline", "pipeline-hooks", "pipeline-events", "told"}


def declare_queues(state: Path, lock_seconds: dict[str, int]) -> None:
    """Declare the queues of a stack that is to be started."""
    shared = {"max_delivery_count": 20, "dead_lettering_on_expiration": True}
    queues = [
        {"name": name, "lock_duration_seconds": seconds, **shared} for name, seconds in lock_seconds.items()
    ]
    for queue in queues:
        if queue["name"] in DETECTS_DUPLICATES:
            queue["duplicate_detection_window_seconds"] = 600
    state.mkdir(parents=True, exist_ok=True)
    (state / "queues.json").write_text(json.dumps({"queues": queues}))


@pytest.fixture(scope="session", autouse=True)
def nothing_is_left() -> Iterator[None]:
    """No process of these tests may outlive them."""
    yield
    assert left_behind() == []


@pytest.fixture(scope="session")
def state() -> Iterator[Path]:
    """The state directory of a running stack."""
    with tempfile.TemporaryDirectory(prefix="jsworker-") as name:
        folder = Path(name, "state")
        declare_queues(folder, LOCK_SECONDS)
        up = run("local", "up", "--state", str(folder), "--max-sessions", str(SESSIONS))
        assert up.returncode == 0, up.stderr
        holder = StateDirectory(folder).holder()
        assert holder
        try:
            yield folder
        finally:
            under = descendants(holder.pid)
            down = run("local", "down", "--state", str(folder))
        assert (down.returncode, all_end(under)) == (0, True), down.stderr


@pytest.fixture(scope="session")
def services(state: Path) -> Iterator[Services]:
    environment = running(state)
    assert environment
    found = Services(environment)
    yield found
    found.close()


@pytest.fixture(scope="session")
def served(services: Services, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The queue of a worker that serves all tests that only send."""
    log = tmp_path_factory.mktemp("served") / "worker.log"
    with working({**services.environment, "JSWORKER_QUEUE": "served"}, log):
        yield "served"


@pytest.fixture
def batch() -> str:
    """A batch of the test's own."""
    return f"batch-{uuid.uuid4().hex[:12]}"
