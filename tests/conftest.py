from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from tests.tallies import lines, send_tallies, take_tallies

if TYPE_CHECKING:
    from tests.tallies import Node


@pytest.fixture(scope="session", autouse=True)
def interrupts_are_heard() -> None:
    """A shell starts what it puts in the background with SIGINT ignored, and children inherit that."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_sessionfinish(session: pytest.Session) -> None:
    send_tallies(session.config)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Node) -> None:
    take_tallies(node.config, node)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for line in lines(config):
        terminalreporter.write_line(line)
