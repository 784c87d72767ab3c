import pytest

from tests.contract.pool.service import Service, StartPool
from worker.local.faults import PoolFaults
from worker.local.switches import Switches


@pytest.mark.parametrize("header", ["", "Bearer wrong", "a-token-for-tests", "Basic a-token-for-tests"])
async def test_a_call_without_the_token_is_refused_with_an_empty_body(service: Service, header: str) -> None:
    headers = {"Authorization": header}
    assert await service.call("GET", "/listSessions", headers=headers) == (401, b"")


async def test_an_unknown_version_is_refused_like_a_wrong_token(service: Service) -> None:
    assert await service.call("GET", "/listSessions", version="2030-01-01") == (401, b"")


async def test_a_name_that_leads_to_loopback_is_refused(service: Service) -> None:
    status, _ = await service.call("GET", "/listSessions", headers={"Host": "evil.example"})
    assert status == 421


@pytest.mark.parametrize("identifier", [None, "abc", "a" * 129, "a_b_c", "../../x", "a b c d"])
async def test_a_malformed_identifier_is_refused(service: Service, identifier: str | None) -> None:
    status, _ = await service.call("POST", "/executions", identifier=identifier, json={"code": "1"})
    assert status == 400


async def test_a_token_can_be_refused_once(start_pool: StartPool) -> None:
    service = await start_pool(faults=Switches(PoolFaults(unauthorized_once=True)))
    assert (await service.call("GET", "/listSessions"))[0] == 401
    assert (await service.call("GET", "/listSessions"))[0] == 200


async def test_the_service_can_be_unavailable(start_pool: StartPool) -> None:
    service = await start_pool(faults=Switches(PoolFaults(unavailable_rate=1.0)))
    assert (await service.call("GET", "/listSessions"))[0] == 503
