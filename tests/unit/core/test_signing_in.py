"""A credential that waits for ever, or answers nonsense, is one that gives no token."""

from __future__ import annotations

import asyncio

import pytest
from azure.core.exceptions import ClientAuthenticationError, ServiceRequestError

from worker.clock import now
from worker.faults import InfrastructureFault
from worker.link import mapped
from worker.signing_in import TOKEN_SECONDS, BoundedCredential


class Waits:
    async def get_token(self, *_scopes: str, **_options: object) -> None:
        await asyncio.sleep(10**9)  # as an identity's endpoint can ask for by Retry-After

    get_token_info = get_token


class Breaks:
    async def get_token(self, *_scopes: str, **_options: object) -> None:
        raise KeyError("access_token")

    get_token_info = get_token


@pytest.mark.parametrize("method", ["get_token", "get_token_info"])
async def test_a_token_is_waited_for_in_bounded_time(method: str) -> None:
    begin = now()
    with pytest.raises(ClientAuthenticationError, match="no token came within 60 s"):
        await getattr(BoundedCredential(Waits()), method)("scope")
    assert now() - begin == pytest.approx(TOKEN_SECONDS, abs=0.1)


@pytest.mark.parametrize("method", ["get_token", "get_token_info"])
async def test_an_answer_that_has_no_token_is_none(method: str) -> None:
    with pytest.raises(ClientAuthenticationError, match="KeyError 'access_token'"):
        await getattr(BoundedCredential(Breaks()), method)("scope")


class OutOfReach:
    async def get_token(self, *_scopes: str, **_options: object) -> None:
        raise ServiceRequestError("no route to the endpoint of tokens")

    get_token_info = get_token


@pytest.mark.parametrize("method", ["get_token", "get_token_info"])
async def test_an_endpoint_out_of_reach_is_an_outage_and_no_matter_of_configuration(method: str) -> None:
    with pytest.raises(InfrastructureFault, match="no route"), mapped("jobs"):
        await getattr(BoundedCredential(OutOfReach()), method)("scope")
