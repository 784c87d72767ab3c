from __future__ import annotations

import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import structlog
from hypothesis import settings

from tests.tallies import lines, send_tallies, take_tallies

if TYPE_CHECKING:
    from tests.tallies import Node


ROOT = Path(__file__).parent
LONGEST_FIRST = sorted((path.name for path in ROOT.iterdir()), key=lambda name: (name != "system", name))

settings.register_profile("untimed", deadline=None)  # how long an example takes says how busy the machine is
settings.load_profile("untimed")


@pytest.fixture(scope="session", autouse=True)
def interrupts_are_heard() -> None:
    """A shell starts what it puts in the background with SIGINT ignored, and children inherit that."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def logs_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that runs in the tests' process would configure the logs of all tests that come after it."""
    monkeypatch.setattr(structlog, "configure", lambda **_: None)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with a few long tests first, or one process runs them at the end while the other is idle."""
    items.sort(key=lambda item: LONGEST_FIRST.index(item.path.relative_to(ROOT).parts[0]))


def pytest_sessionfinish(session: pytest.Session) -> None:
    send_tallies(session.config)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Node) -> None:
    take_tallies(node.config, node)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for line in lines(config):
        terminalreporter.write_line(line)
