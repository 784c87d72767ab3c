import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping

import pytest
import structlog

from tests.tallies import tally
from tests.unit.core.points import Points
from tests.unit.core.virtual_time import VirtualLoop
from tests.unit.core.world import World, settled_tasks


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"virtual": VirtualLoop}


@pytest.fixture(autouse=True)
def quiet() -> Iterator[list[structlog.typing.EventDict]]:
    with structlog.testing.capture_logs() as events:
        yield events


@pytest.fixture
async def world() -> AsyncIterator[World]:
    world = World()
    yield world
    await world.check()
    assert VirtualLoop.unhandled_of_running() == []


@pytest.fixture
async def alone() -> AsyncIterator[None]:
    """For tests without a world: no task is left."""
    yield
    await settled_tasks()


@pytest.fixture
def points(request: pytest.FixtureRequest) -> Points:
    """Counts the steps at which workers crashed, stopped or lost their message."""
    return Points(tally(request.config, "workers crashed, stopped or robbed of their message"))
