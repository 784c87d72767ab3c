"""The faults of the local pool, each as a client sees it."""

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.contract.pool.service import VERSION, Service, StartPool
from worker.local.faults import PoolFaults
from worker.local.switches import Switches

ROOT = Path(__file__).parents[3]
WRITE = "require('fs').writeFileSync('ran', 'yes')"

Faulty = tuple[Service, Switches[PoolFaults]]


@pytest.fixture
async def faulty(start_pool: StartPool) -> Faulty:
    """A pool without faults, and its switches."""
    switches = Switches(PoolFaults())
    return await start_pool(faults=switches), switches


async def execute(service: Service, code: str = "1", identifier: str = "test") -> httpx.Response:
    """Run code as a client of another make than the other tests' does."""
    async with httpx.AsyncClient(headers=dict(service.http.headers), timeout=10) as http:
        query = {"api-version": VERSION, "identifier": identifier}
        return await http.post(f"{service.endpoint}/executions", params=query, json={"code": code})


async def has_run(service: Service) -> bool:
    status, _ = await service.call("GET", "/files/ran", identifier="test")
    return status == 200


@pytest.mark.parametrize(("switch", "status"), [("full_rate", 429), ("missing_rate", 404)])
async def test_a_pool_can_say_that_it_is_full_to_whoever_has_no_session(
    faulty: Faulty, switch: str, status: int
) -> None:
    service, switches = faulty
    await service.execute("1", identifier="there")
    switches.now = PoolFaults.model_validate({switch: 1.0})
    answer = await execute(service, identifier="new1")
    assert answer.status_code == status
    assert (answer.json().get("code") == "SessionsCountExceedsLimit") is (status == 429)
    assert (await execute(service, identifier="there")).status_code == 200
    assert await service.allocated() == ["there"]


async def test_a_request_can_fail_before_anything_ran(faulty: Faulty) -> None:
    service, switches = faulty
    switches.now = PoolFaults(error_rate=1)
    answer = await execute(service, WRITE)
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "InternalServerError")
    switches.now = PoolFaults()
    assert await service.allocated() == []


async def test_a_request_can_fail_after_the_code_ran_in_two_ways(faulty: Faulty) -> None:
    service, switches = faulty
    seen: set[object] = set()
    for number in range(40):
        switches.now = PoolFaults(error_after_rate=1)
        code = f"require('fs').writeFileSync('ran{number}', '')"
        try:
            seen.add((await execute(service, code)).status_code)
        except httpx.RemoteProtocolError:
            seen.add("closed")
        switches.now = PoolFaults()
        status, _ = await service.call("GET", f"/files/ran{number}", identifier="test")
        assert status == 200
        if seen == {500, "closed"}:
            return
    pytest.fail(f"only {seen} in 40 requests")


async def test_an_answer_can_be_late(faulty: Faulty) -> None:
    service, switches = faulty
    switches.now = PoolFaults(hang_rate=1, hang_seconds=0.5)
    began = time.monotonic()
    assert (await execute(service)).json()["result"]["executionResult"] == "1"
    assert time.monotonic() - began >= 0.5


async def test_an_answer_can_be_kept_back_for_ever_though_the_code_ran(faulty: Faulty) -> None:
    service, switches = faulty
    await service.execute("1")
    switches.now = PoolFaults(hang_rate=1)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(execute(service, WRITE), 1)
    switches.now = PoolFaults()
    assert await has_run(service)


async def test_every_answer_can_be_cut_in_the_middle(faulty: Faulty) -> None:
    service, switches = faulty
    await service.upload("a.txt", b"0123456789")
    switches.now = PoolFaults(half_body_rate=1)
    with pytest.raises(httpx.RemoteProtocolError, match=r"received \d+ bytes, expected"):
        await execute(service, WRITE)
    query = {"api-version": VERSION, "identifier": "test"}
    async with httpx.AsyncClient(headers=dict(service.http.headers)) as http:
        with pytest.raises(httpx.RemoteProtocolError, match="received 5 bytes, expected 10"):
            await http.get(f"{service.endpoint}/files/a.txt/content", params=query)
    switches.now = PoolFaults()
    assert await has_run(service)


async def test_a_kernel_can_die_during_an_execution_and_its_session_with_it(faulty: Faulty) -> None:
    service, switches = faulty
    switches.now = PoolFaults(kill_kernel_rate=1)
    for code, identifier in (("while (true);", "long"), ("1", "short")):
        answer = (await execute(service, code, identifier)).json()
        assert (answer["status"], answer["result"]["stderr"]) == ("Failed", "Kernel restarted")
    switches.now = PoolFaults()
    assert (await service.execute("1", identifier="long"))["status"] == "Failed"
    assert (await service.execute("1", identifier="next"))["status"] == "Succeeded"


async def test_every_request_can_take_longer(faulty: Faulty) -> None:
    service, switches = faulty
    switches.now = PoolFaults(latency_seconds=0.4)
    began = time.monotonic()
    assert (await service.call("GET", "/listSessions"))[0] == 200
    assert time.monotonic() - began >= 0.4


async def test_a_token_is_refused_once_each_time_the_switch_is_turned_on(faulty: Faulty) -> None:
    service, switches = faulty
    statuses = []
    for on in (True, False, True):
        switches.now = PoolFaults(unauthorized_once=on)
        statuses += [(await service.call("GET", "/listSessions"))[0] for _ in range(2)]
    assert statuses == [401, 200, 200, 200, 401, 200]


async def outcome(attempt: Callable[[], Awaitable[Any]]) -> str:
    try:
        await attempt()
    except httpx.TransportError:
        return "no answer"
    return "answer"


async def until(expected: str, attempt: Callable[[], Awaitable[Any]]) -> None:
    async with asyncio.timeout(10):
        while await outcome(attempt) != expected:  # noqa: ASYNC110 - it is another program's state
            await asyncio.sleep(0.02)


async def test_a_pool_that_is_down_ends_all_connections_and_keeps_its_sessions(faulty: Faulty) -> None:
    service, switches = faulty
    await service.execute("var kept = 7")
    async with httpx.AsyncClient(headers=dict(service.http.headers)) as http:
        attempt = lambda: http.get(f"{service.endpoint}/listSessions", params={"api-version": VERSION})  # noqa: E731
        assert await outcome(attempt) == "answer"
        switches.now = PoolFaults(down=True)
        await until("no answer", attempt)
        assert [await outcome(attempt) for _ in range(5)] == ["no answer"] * 5
    with pytest.raises(httpx.TransportError):
        await execute(service)
    switches.now = PoolFaults()
    assert (await execute(service, "kept")).json()["result"]["executionResult"] == "7"


async def test_the_program_follows_its_file_and_logs_what_happens(tmp_path: Path) -> None:
    file, log = tmp_path / "faults.json", tmp_path / "log"
    (tmp_path / "token").write_text("t")
    file.write_text('{"seed": 1, "pool": {"unavailable_rate": 1}}')
    options = [f"--token-file={tmp_path / 'token'}", f"--faults={file}", "--unsafe-no-sandbox", "--spares=0"]
    command = (sys.executable, "-m", "worker.local.pool", *options)
    with log.open("wb") as stderr:
        process = await asyncio.create_subprocess_exec(
            *command, cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=stderr
        )
    try:
        assert process.stdout
        endpoint = json.loads(await process.stdout.readline())["endpoint"]
        async with httpx.AsyncClient(headers={"Authorization": "Bearer t"}) as http:
            url = f"{endpoint}/listSessions?api-version={VERSION}"
            assert (await http.get(url)).status_code == 503
            file.write_text('{"pool": {"down": true}}')
            await until("no answer", lambda: http.get(url))
            file.unlink()
            await until("answer", lambda: http.get(url))
    finally:
        process.terminate()
        await process.wait()
    events = [json.loads(line) for line in log.read_text().splitlines()]
    told = [event.get("fault", event["event"]) for event in events if event["event"].startswith("fault")]
    assert list(dict.fromkeys(told)) == ["unavailable_rate", "faults_changed"]
