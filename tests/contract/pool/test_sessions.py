import asyncio
import time
from typing import Literal

import pytest

from tests.contract.pool.service import Service, StartPool
from worker.local.faults import PoolFaults
from worker.local.switches import Switches

LOOP = "while (true);"


async def test_a_full_pool_refuses_a_new_session_until_one_is_released(start_pool: StartPool) -> None:
    service = await start_pool(max_sessions=1)
    await service.execute("1", identifier="first")
    status, body = await service.call("POST", "/executions", identifier="second", json={"code": "1"})
    assert (status, body["code"]) == (429, "SessionsCountExceedsLimit")
    assert await service.call("DELETE", "/session", identifier="first") == (204, b"")
    assert (await service.execute("1", identifier="second"))["status"] == "Succeeded"


@pytest.mark.parametrize(
    ("way", "status", "text"),
    [("404", 404, "no session available"), ("500", 500, "allocating pod")],
)
async def test_a_full_pool_can_say_so_in_other_ways(
    start_pool: StartPool, way: Literal["404", "500"], status: int, text: str
) -> None:
    service = await start_pool(max_sessions=1, faults=Switches(PoolFaults(when_full=way)))
    await service.execute("1", identifier="first")
    answered, body = await service.call("POST", "/executions", identifier="second", json={"code": "1"})
    assert (answered, text in body["error"]["message"]) == (status, True)


async def test_an_idle_session_goes_after_the_cooldown(start_pool: StartPool) -> None:
    service = await start_pool(max_sessions=1, cooldown_seconds=0.3)
    await service.execute("var kept = 1")
    deadline = time.monotonic() + 10
    while await service.allocated():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)
    assert (await service.execute("typeof kept"))["executionResult"] == "'undefined'"


async def test_a_session_in_use_does_not_expire(start_pool: StartPool) -> None:
    service = await start_pool(cooldown_seconds=0.2)
    result = await service.execute("$$.async(); setTimeout(() => $$.done('ran'), 1000)")
    assert result["executionResult"] == "'ran'"


async def test_a_release_ends_a_run_under_way(service: Service) -> None:
    running = asyncio.create_task(service.execute(LOOP))
    while "test" not in await service.allocated():  # noqa: ASYNC110 - the pool is asked, it does not tell
        await asyncio.sleep(0.01)
    assert (await service.call("DELETE", "/session", identifier="test"))[0] == 204
    assert (await running)["stderr"] == "Execution aborted"


async def test_releasing_what_is_not_there_names_the_missing_session(service: Service) -> None:
    status, body = await service.call("DELETE", "/session", identifier="nobody")
    assert (status, body["error"]["code"]) == (404, "NoSessionFoundError")


async def test_a_released_identifier_gets_a_session_without_memory(service: Service) -> None:
    await service.execute("var kept = 1")
    await service.upload("kept.txt", b"1")
    await service.call("DELETE", "/session", identifier="test")
    found = await service.execute("[typeof kept, require('fs').readdirSync('/mnt/data').length]")
    assert found["executionResult"] == "[ 'undefined', 0 ]"


async def test_the_sessions_of_a_pool_can_be_listed_and_shown(service: Service) -> None:
    await service.execute("1", identifier="first")
    _, listed = await service.call("GET", "/listSessions")
    status, shown = await service.call("GET", "/session", identifier="first")
    assert listed == {"sessions": [shown], "nextLink": None}
    assert (status, shown["identifier"]) == (200, "first")
    assert shown["createdAt"] <= shown["lastAccessedAt"] < shown["expireAt"]
    assert (await service.call("GET", "/session", identifier="nobody"))[0] == 404
    assert await service.allocated() == ["first"]


async def test_two_requests_for_a_new_identifier_share_its_session(service: Service) -> None:
    await asyncio.gather(*(service.execute(f"var v{n} = {n}") for n in range(3)))
    assert (await service.execute("v0 + v1 + v2"))["executionResult"] == "3"
    assert await service.allocated() == ["test"]


async def test_a_burst_of_clients_never_gets_more_sessions_than_there_are(start_pool: StartPool) -> None:
    service = await start_pool(max_sessions=2, spares=1)
    calls = [
        service.call("POST", "/executions", identifier=f"burst-{n}", json={"code": "1"}) for n in range(6)
    ]
    statuses = sorted(status for status, _ in await asyncio.gather(*calls))
    assert statuses == [200, 200, 429, 429, 429, 429]


async def test_an_allocation_can_be_slow(start_pool: StartPool) -> None:
    service = await start_pool(faults=Switches(PoolFaults(allocation_seconds=0.5)))
    started = time.monotonic()
    await service.execute("1")
    assert time.monotonic() - started >= 0.5


@pytest.mark.parametrize("refusal", [405, 501])
async def test_a_pool_can_refuse_releases(start_pool: StartPool, refusal: Literal[405, 501]) -> None:
    service = await start_pool(faults=Switches(PoolFaults(delete_refused=refusal)))
    await service.execute("1")
    assert (await service.call("DELETE", "/session", identifier="test"))[0] == refusal
    assert await service.allocated() == ["test"]


async def test_session_operations_do_not_exist_in_the_older_version(service: Service) -> None:
    for method, path in (
        ("DELETE", "/session"),
        ("GET", "/session"),
        ("GET", "/listSessions"),
        ("GET", "/metadata"),
    ):
        assert (await service.call(method, path, version="2024-10-02-preview", identifier="test"))[0] == 404


async def test_metadata_names_the_sandbox_and_the_version_of_node(service: Service) -> None:
    _, body = await service.call("GET", "/metadata")
    version = (await service.execute("process.version"))["executionResult"].strip("'")
    assert (body["nodeVersion"], body["sandbox"]) == (version, "bubblewrap+seccomp")
