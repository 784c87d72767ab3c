"""Stand-ins for the three roles of a local stack, and the leak check after each test."""

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from worker.local import roles
from worker.local.azurite import HTTP_ANSWER, HTTP_HELLO
from worker.local.config import StackConfig
from worker.local.state import StateDirectory
from worker.local.supervised import Command

STAND_IN = Path(__file__).with_name("stand_in.py")
Commands = Callable[[StackConfig, StateDirectory], dict[str, Command]]
StandIns = Callable[..., Commands]


def stand_in(name: str, directory: Path, port: int, *habits: str) -> Command:
    return Command(
        name=name,
        arguments=(sys.executable, str(STAND_IN), str(port), str(directory), *habits),
        log=directory / f"{name}.log",
        hello=HTTP_HELLO,
        answer=HTTP_ANSWER,
    )


@pytest.fixture
def stand_ins() -> StandIns:
    """Make the commands of a stack: stand-ins with the given habits by role, or the real ones."""

    def make(real: tuple[str, ...] = (), **habits: str) -> Commands:
        def commands(config: StackConfig, state: StateDirectory) -> dict[str, Command]:
            logs = state.folder("logs")
            replaced = {
                role: stand_in(role, logs, state.port(role), habits.get(role, ""))
                for role in ("broker", "pool", "blobs")
                if role not in real
            }
            return roles.commands(config, state) | replaced

        return commands

    return make


@pytest.fixture(autouse=True)
def nothing_survives(tmp_path: Path) -> Iterator[None]:
    """No process that has the test's directory in its command line may outlive the test by 2 s."""
    yield
    deadline = time.monotonic() + 2
    while (left := processes_of(tmp_path)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert left == []


def processes_of(directory: Path) -> list[str]:
    """The command lines of the processes that name this directory."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = file.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if str(directory) in line:
            found.append(line)
    return found


@pytest.fixture
def command(tmp_path: Path) -> Callable[..., Command]:
    """Make the command of a stand-in with these habits."""
    return lambda *habits: stand_in("stand-in", tmp_path, 0, *habits)
