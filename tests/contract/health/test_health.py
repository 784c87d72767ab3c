"""What a platform's probes see of the worker, over real sockets."""

import asyncio
import socket
from collections.abc import AsyncIterator

import httpx
import pytest

from tests.system.worker.processes import run
from worker.health import serve_health
from worker.settings import SettingsError
from worker.vitals import Vitals


@pytest.fixture
async def vitals() -> Vitals:
    return Vitals()


@pytest.fixture
async def probe(vitals: Vitals) -> AsyncIterator[httpx.AsyncClient]:
    async with (
        serve_health(vitals, 0) as port,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client,
    ):
        yield client


async def test_a_worker_that_is_starting_lives_but_is_not_ready(probe: httpx.AsyncClient) -> None:
    live, ready = await probe.get("/health/live"), await probe.get("/health/ready")
    assert (live.status_code, live.json()) == (200, {"status": "ok", "reasons": []})
    assert (ready.status_code, ready.json()["reasons"]) == (503, ["the worker is starting"])


async def test_readiness_follows_the_parts_and_is_never_taken_from_a_cache(
    probe: httpx.AsyncClient, vitals: Vitals
) -> None:
    vitals.started()
    assert (await probe.get("/health/ready")).status_code == 200
    vitals.ill("queue", 'gone "away"\x1b[2J')
    answer = await probe.get("/health/ready")
    assert answer.status_code == 503
    assert answer.json() == {"status": "failing", "reasons": ['queue: gone "away"\x1b[2J']}
    assert "\x1b" not in answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    vitals.well("queue")
    assert (await probe.get("/health/ready")).status_code == 200


async def test_a_silent_part_makes_it_neither_live_nor_ready(
    probe: httpx.AsyncClient, vitals: Vitals
) -> None:
    vitals.started()
    vitals.expect("slot-0", -1)
    for path in ("/health/live", "/health/ready"):
        answer = await probe.get(path)
        assert answer.status_code == 503
        assert answer.json()["reasons"] == ["slot-0: not heard of for 0 s"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/", 404), ("GET", "/health", 404), ("GET", "/metrics", 404), ("POST", "/health/live", 405)],
)
async def test_nothing_else_is_served(probe: httpx.AsyncClient, method: str, path: str, status: int) -> None:
    assert (await probe.request(method, path)).status_code == status


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6")
async def test_it_listens_on_ipv6_too(vitals: Vitals) -> None:
    async with serve_health(vitals, 0) as port, httpx.AsyncClient(trust_env=False) as client:
        assert (await client.get(f"http://[::1]:{port}/health/live")).status_code == 200


async def test_a_port_in_use_is_a_matter_of_settings(vitals: Vitals) -> None:
    async with serve_health(vitals, 0) as port:
        with pytest.raises(SettingsError, match=f"JSWORKER_HEALTH_PORT: port {port} cannot be listened on"):
            async with serve_health(vitals, port):
                pass


async def test_a_worker_whose_port_is_in_use_ends_with_the_status_for_settings(vitals: Vitals) -> None:
    async with serve_health(vitals, 0) as port:
        settings = {
            "SERVICEBUS_CONNECTION_STRING": "Endpoint=sb://127.0.0.1:1",
            "STORAGE_CONNECTION_STRING": "UseDevelopmentStorage=true",
            "POOL_ENDPOINT": "http://127.0.0.1:1",
            "POOL_TOKEN": "t0",
            "MAX_SESSIONS": "1",
            "HEALTH_PORT": str(port),
        }
        ended = await asyncio.to_thread(
            run, "run", settings={f"JSWORKER_{name}": value for name, value in settings.items()}
        )
    assert ended.returncode == 2, ended.stderr
    assert f"JSWORKER_HEALTH_PORT: port {port} cannot be listened on (Address already in use)" in ended.stderr


async def test_a_port_is_free_again_after_its_use(vitals: Vitals) -> None:
    async with serve_health(vitals, 0) as port:
        pass
    async with serve_health(vitals, port) as again:
        assert again == port


async def test_without_a_port_nothing_is_served(vitals: Vitals) -> None:
    async with serve_health(vitals, None) as port:
        assert port is None
