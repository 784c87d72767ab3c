"""Shows what all simulations of a test run came to, whatever the verbosity."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest
import structlog

from tests.simulation.checker import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

TOTAL = pytest.StashKey[Verdict]()


@pytest.fixture(scope="session")
def total(request: pytest.FixtureRequest) -> Verdict:
    """What the simulations of the real worker add up to."""
    return request.config.stash.setdefault(TOTAL, Verdict())


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.reset_defaults()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    verdict = config.stash.get(TOTAL, None)
    if verdict:
        counts = ", ".join(f"{count} {name}" for name, count in verdict.tallies.items())
        terminalreporter.write_line(f"simulated: {counts}")
