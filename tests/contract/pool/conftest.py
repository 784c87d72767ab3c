import contextlib
import dataclasses
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from tests.contract.pool.service import TOKEN, Service, StartPool
from worker.local.pool import PoolConfig, SessionPool


@pytest.fixture
async def start_pool() -> AsyncIterator[StartPool]:
    async with contextlib.AsyncExitStack() as stack:

        async def start(**settings: Any) -> Service:  # noqa: ANN401 - whatever PoolConfig has
            config = dataclasses.replace(PoolConfig(token=TOKEN, spares=0), **settings)
            pool = await stack.enter_async_context(SessionPool(config))
            headers = {"Authorization": f"Bearer {TOKEN}"}
            http = await stack.enter_async_context(aiohttp.ClientSession(headers=headers))
            return Service(pool.endpoint, http)

        yield start


@pytest.fixture
async def service(start_pool: StartPool) -> Service:
    return await start_pool()
