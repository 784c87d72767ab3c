"""Shows what all simulations of a test run came to, whatever the verbosity."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest
import structlog

from tests.tallies import tally

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterator


@pytest.fixture
def total(request: pytest.FixtureRequest) -> Counter[str]:
    """What the simulations of the real worker add up to."""
    return tally(request.config, "simulated")


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.reset_defaults()
