"""The calls of a session pool as they are on the wire: what is answered, and how long it takes."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx

from worker.doctor.environment import pool_command
from worker.doctor.roles import POOL_ROLE, grant, pool_scope
from worker.faults import ConfigurationFault, InfrastructureFault, ServiceFault, SessionLost
from worker.session_answers import fault_of, is_about_shape
from worker.session_requests import whole
from worker.tokens import SCOPE, Tokens

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from worker.doctor.context import Context

NEWEST = "2025-10-02-preview"
LISTS_SINCE = "2025-02-02"
LONG_STREAMS_SINCE = "2025-10-02"
CONNECT_SECONDS = 15.0
READ_SECONDS = 30.0
ANSWER_SECONDS = 25.0  # what the service may take beyond the execution itself


@dataclass(frozen=True)
class Answer:
    """What the pool answered, and after how long."""

    response: httpx.Response
    seconds: float

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.response.status_code

    @property
    def text(self) -> str:
        """The body, whatever it says of its characters."""
        return self.response.content.decode(errors="replace")

    def document(self) -> dict[str, Any]:
        """The body as JSON; empty if it is no object."""
        try:
            document = self.response.json()
        except (ValueError, RecursionError):
            return {}
        return document if isinstance(document, dict) else {}


class PoolWire:
    """Calls a pool. None raises for an HTTP status, and none is repeated but for the shape of its body.

    Attributes:
        version: as set.
        is_wrapped: whether executions are wanted in the shape of the first preview.
    """

    def __init__(self, context: Context, client: httpx.AsyncClient) -> None:
        fixed = context.settings.pool_token
        self._client = client
        self._tokens = Tokens(context.credential, fixed.get_secret_value() if fixed else None)
        self._endpoint = context.settings.pool_endpoint
        self.version = context.settings.pool_api_version
        self.is_wrapped = False

    @property
    def listing_version(self) -> str:
        """The version for sessions and metadata, which the first versions did not have."""
        return self.version if self.version >= LISTS_SINCE else NEWEST

    async def get(self, path: str, *, version: str | None = None, **query: str) -> Answer:
        """Ask for something."""
        return await self._call("GET", path, {"api-version": version or self.listing_version, **query})

    async def execute(self, identifier: str, code: str, *, seconds: float = 30, **fields: object) -> Answer:
        """Run code in the session; ``fields`` are added to the body, or replace what it has."""
        body = {
            "codeInputType": "Inline",
            "executionType": "Synchronous",
            "code": code,
            "timeoutInSeconds": round(seconds),
            **fields,
        }
        query = {"api-version": self.version, "identifier": identifier}
        wait = seconds + ANSWER_SECONDS
        answer = await self._call("POST", "executions", query, self._shaped(body), wait)
        if is_about_shape(answer.response):
            self.is_wrapped = not self.is_wrapped
            answer = await self._call("POST", "executions", query, self._shaped(body), wait)
        return answer

    def _shaped(self, body: dict[str, Any]) -> dict[str, Any]:
        return {"properties": body} if self.is_wrapped else body

    async def delete(self, identifier: str) -> Answer:
        """Delete the session."""
        query = {"api-version": self.listing_version, "identifier": identifier}
        return await self._call("DELETE", "session", query)

    async def _call(
        self,
        method: str,
        path: str,
        query: dict[str, str],
        body: dict[str, Any] | None = None,
        seconds: float = READ_SECONDS,
    ) -> Answer:
        clock = asyncio.get_running_loop().time
        request = self._client.build_request(
            method,
            f"{self._endpoint}/{path}",
            params=query,
            json=body,
            headers={"Authorization": f"Bearer {await self._tokens.get()}", "Accept-Encoding": "identity"},
            timeout=httpx.Timeout(seconds, connect=CONNECT_SECONDS),
        )
        begin = clock()
        try:
            async with asyncio.timeout(2 * seconds):  # even if some of the answer comes all the time
                response = await whole(await self._client.send(request, stream=True))
        except (httpx.TimeoutException, TimeoutError) as error:
            raise InfrastructureFault(
                f"the session pool did not answer {method} {path} within {seconds:g} s"
            ) from error
        except SessionLost as error:
            raise InfrastructureFault(f"{error}, to {method} {path}") from error
        except httpx.HTTPError as error:
            raise InfrastructureFault(
                f"the session pool's answer to {method} {path} never came, or came damaged: "
                f"{type(error).__name__} {error}"
            ) from error
        return Answer(response, clock() - begin)


@asynccontextmanager
async def wire_of(context: Context) -> AsyncIterator[PoolWire]:
    """The pool of the settings."""
    async with httpx.AsyncClient(follow_redirects=False) as client:
        yield PoolWire(context, client)


async def refusal_of(context: Context, answer: Answer) -> ServiceFault:
    """What an answer means that is no success, and what to do about it."""
    endpoint = context.settings.pool_endpoint
    if answer.status == httpx.codes.FORBIDDEN:
        return ConfigurationFault(
            "whoever signs in may not use the session pool (403): the role is missing, or not yet at work",
            await grant(context, POOL_ROLE, SCOPE, pool_scope(endpoint)),
        )
    if answer.status == httpx.codes.UNAUTHORIZED and context.settings.pool_token:
        return ConfigurationFault(
            "the session pool refuses JSWORKER_POOL_TOKEN (401): it has ended, or is for another audience",
            "unset JSWORKER_POOL_TOKEN to sign in with Entra, or set a new one: az account "
            "get-access-token --resource https://dynamicsessions.io --query accessToken --output tsv",
        )
    if answer.status == httpx.codes.UNAUTHORIZED:
        return ConfigurationFault(
            "the session pool refuses the token (401): it is of another tenant than the pool",
            "Sign in to the pool's tenant: az login --tenant TENANT",
        )
    if answer.status == httpx.codes.NOT_FOUND:
        return ConfigurationFault(
            "there is no session pool at the endpoint (404)",
            f'export JSWORKER_POOL_ENDPOINT="$({pool_command("poolManagementEndpoint", endpoint)})"',
        )
    return _as_service_fault(fault_of(answer.response, answer.response.content))


def _as_service_fault(fault: Exception) -> ServiceFault:
    return fault if isinstance(fault, ServiceFault) else InfrastructureFault(str(fault))
