"""What a worker answers to its machine's own users, over real sockets, and to nobody else."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from worker import __version__
from worker.gauges import LiveParts
from worker.health import serve_health
from worker.permits import Permits
from worker.recent import Recent
from worker.result import Producer, Result, Timings
from worker.status import Status, StatusSource
from worker.vitals import Vitals

DOCUMENTATION = Path(__file__).parents[3] / "docs" / "top.md"
ADDRESS = "http://127.0.0.1:{}/status"


@pytest.fixture
async def recent() -> Recent:
    return Recent()


@pytest.fixture
async def port(recent: Recent) -> AsyncIterator[int]:
    vitals = Vitals()
    status = StatusSource(LiveParts(vitals, Permits(2)), recent, "here")
    async with serve_health(vitals, 0, status.read) as port:
        assert port
        yield port


async def get(url: str, **headers: str) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False) as client:
        return await client.get(url, headers=headers)


def own_address() -> str | None:
    """An address of this machine that is not loopback's, if it has one; nothing is sent to find it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return None
        address = str(probe.getsockname()[0])
    return None if address.startswith("127.") else address


async def test_the_document_has_all_that_is_promised(port: int, recent: Recent) -> None:
    now = datetime.now(UTC)
    ended = Result(
        id='j"1',
        batch="b",
        status="succeeded",
        timings=Timings(execute_ms=12.34),
        worker=Producer(version="1", instance="here"),
        started_at=now,
        finished_at=now,
    )
    recent.committed(ended, "attempt", "jobs")
    answer = await get(ADDRESS.format(port))
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json; charset=utf-8")
    assert answer.headers["Cache-Control"] == "no-store"
    document = answer.json()
    assert list(document) == [
        "version",
        "instance",
        "started_at",
        "at",
        "gauges",
        "rates",
        "phases",
        "recent",
    ]
    assert (document["version"], document["instance"]) == (__version__, "here")
    assert document["gauges"] == {
        "slots": {"open": 0, "busy": 0},
        "permits": {"held": 2, "limit": 2, "in_use": 0, "waiting": 0},
        "sessions": {"allocated": 0, "busy": 0, "kept": 0, "quarantined": 0},
        "breakers": {},
        "ready": False,
        "reasons": ["the worker is starting"],
    }
    assert document["rates"]["by_status"] == {"succeeded": 1}
    assert document["phases"] == {"execute": {"jobs": 1, "p50_ms": 12.3, "p95_ms": 12.3}}
    assert document["recent"][0]["id"] == 'j"1'
    assert Status.model_validate_json(answer.content).model_dump_json().encode() == answer.content


async def test_the_documented_document_is_one_and_leaves_nothing_out(port: int) -> None:
    text = DOCUMENTATION.read_text().partition("```json\n")[2].partition("```")[0]
    documented = json.loads(text)
    Status.model_validate(documented)
    served = (await get(ADDRESS.format(port))).json()
    assert list(documented) == list(served)
    assert list(documented["rates"]) == list(served["rates"])
    assert {name: _names(value) for name, value in documented["gauges"].items() if name != "breakers"} == {
        name: _names(value) for name, value in served["gauges"].items() if name != "breakers"
    }


def _names(value: object) -> list[str]:
    return list(value) if isinstance(value, dict) else []


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6")
async def test_loopback_of_ipv6_is_answered(port: int) -> None:
    assert (await get(f"http://[::1]:{port}/status")).status_code == 200


@pytest.mark.skipif(own_address() is None, reason="this machine has no address but loopback's")
async def test_an_address_that_others_may_have_is_refused_while_probes_are_answered(port: int) -> None:
    address = own_address()
    refused = await get(f"http://{address}:{port}/status", **{"X-Forwarded-For": "127.0.0.1"})
    assert (refused.status_code, refused.json()) == (
        403,
        {"status": "refused", "reasons": ["asked from another machine"]},
    )
    assert (await get(f"http://{address}:{port}/health/live")).status_code == 200


async def test_a_proxy_and_a_page_of_a_browser_are_refused(port: int) -> None:
    for headers in ({"X-Forwarded-For": "127.0.0.1"}, {"Host": "rebound.example"}):
        answer = await get(ADDRESS.format(port), **headers)
        assert answer.status_code == 403
        assert "here" not in answer.text


async def test_a_request_without_a_host_is_refused(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /status HTTP/1.0\r\n\r\n")
    assert (await reader.readline()).split()[1] == b"403"
    writer.close()
    await writer.wait_closed()
