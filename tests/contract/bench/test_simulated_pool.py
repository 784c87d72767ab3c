from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.bench.http_server import Server
from tests.bench.simulated_pool import TOKEN, SimulatedPool
from worker.runner import Answer, Program, RunSpec, build_script, parse_frame

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@asynccontextmanager
async def _pool(max_sessions: int) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with (
        Server(SimulatedPool(max_sessions)) as server,
        httpx.AsyncClient(base_url=server.url, headers=headers, trust_env=False) as client,
    ):
        yield client


async def _execute(client: httpx.AsyncClient, identifier: str, code: str) -> httpx.Response:
    return await client.post("/executions", params={"identifier": identifier}, json={"code": code})


@pytest.mark.parametrize("runs", [1, 3])
async def test_the_runners_script_is_answered_with_a_frame_after_the_time_its_program_names(
    runs: int,
) -> None:
    run = RunSpec(timeout_seconds=1, memory_mb=64, output_bytes=1000)
    script = build_script(Program(b"// wait 0.2\n", (run,) * runs), nonce="n1", frame_chars=4000)
    async with _pool(1) as client:
        begin = time.monotonic()
        response = await _execute(client, "a", script)
        assert time.monotonic() - begin >= 0.19
    answer = parse_frame(response.json()["result"]["stdout"], "n1")
    assert isinstance(answer, Answer)
    assert [run.exit_code for run in answer.runs] == [0] * runs


async def test_a_session_beyond_the_bound_is_refused_until_another_is_released() -> None:
    async with _pool(2) as client:
        answers = await asyncio.gather(*(_execute(client, name, "") for name in "abc"))
        assert sorted(answer.status_code for answer in answers) == [200, 200, 429]
        assert (await client.delete("/session", params={"identifier": "a"})).status_code == 204
        assert (await client.delete("/session", params={"identifier": "a"})).status_code == 404
        assert (await _execute(client, "c", "")).status_code == 200
        stats = (await client.get("/stats")).json()
        assert (stats["peak_sessions"], stats["refused"], stats["executions"]) == (2, 1, 3)


async def test_a_call_without_the_token_is_refused() -> None:
    async with _pool(1) as client:
        client.headers.pop("Authorization")
        assert (await _execute(client, "a", "")).status_code == 401
