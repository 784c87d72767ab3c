import gc
from collections.abc import AsyncIterator, Iterator

import pytest

from tests.contract.adapters.scripted_pool import ScriptedPool
from worker.sessions import SessionPool, open_sessions
from worker.settings import WorkerSettings


@pytest.fixture(autouse=True)
def collected() -> Iterator[None]:
    """Blame what is left open on the test that left it."""
    yield
    gc.collect()


@pytest.fixture
async def server() -> AsyncIterator[ScriptedPool]:
    async with ScriptedPool() as server:
        yield server


def pool_settings(endpoint: str, **values: object) -> WorkerSettings:
    given: dict[str, object] = {"pool_endpoint": endpoint, "max_sessions": 2, "pool_token": "t0"}
    return WorkerSettings.model_validate(given | values)


@pytest.fixture
async def pool(server: ScriptedPool) -> AsyncIterator[SessionPool]:
    async with open_sessions(pool_settings(server.url), None) as pool:
        yield pool
