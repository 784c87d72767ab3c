"""Adapter over the data plane of a session pool (Container Apps dynamic sessions, code interpreter).

What is known of the service, and where from, stands in ``docs/sessions-api.md``. A connection pool of httpx
costs four times as much CPU when many coroutines share it, so each permit has a transport of its own, over
one TLS context. What httpx's client puts on top of it (redirects, cookies, authentication) is not needed.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx

from worker.faults import CapacityFault, ExecutionLost, InfrastructureFault, SessionFileMissing
from worker.observing import SILENT, Call
from worker.session_answers import SessionGone, execution_of, fault_of, is_about_shape, sessions_of
from worker.session_requests import NOTHING_SENT, PoolCall, proxy_of, request_of, steadily, whole
from worker.tokens import Tokens

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Sequence

    from azure.core.credentials_async import AsyncTokenCredential

    from worker.observing import Observer
    from worker.ran import Execution
    from worker.session_answers import SessionPage
    from worker.settings import WorkerSettings

RELEASE_SECONDS = 15.0
LIST_SECONDS = 60.0
MOST_PAGES = 200  # of a list; a pool has 600 sessions at most
ANSWER_SECONDS = 25  # what the service may take beyond the execution itself
_RELEASE_SINCE = "2025-02-02"
_LONG_STREAMS_SINCE = "2025-10-02"
_STREAM_CHARS = 123_456

# an expired token, or one from before its role was given
_REFUSED = frozenset({httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN})


class SessionPool:
    """The pool's sessions by identifier. ``permit`` is the index of the permit that the caller holds."""

    def __init__(
        self,
        settings: WorkerSettings,
        tokens: Tokens,
        transports: Sequence[httpx.AsyncBaseTransport],
        observer: Observer = SILENT,
    ) -> None:
        self._endpoint, self._version = settings.pool_endpoint, (version := settings.pool_api_version)
        self._tokens, self._transports = tokens, transports
        self._release_version = version if version >= _RELEASE_SINCE else f"{_LONG_STREAMS_SINCE}-preview"
        self._long_streams = version >= _LONG_STREAMS_SINCE
        self._wrapped, self._observer = False, observer

    @property
    def stream_chars(self) -> int:
        """How many characters of a stream arrive; the service cuts the rest without a word."""
        return _STREAM_CHARS if self._long_streams else 4096

    async def execute(self, permit: int, identifier: str, code: str, timeout_seconds: float) -> Execution:
        """Run code in the session, which comes into being on the first call; never to be repeated.

        Raises:
            CapacityFault: the pool is full; nothing has run.
            InfrastructureFault: nothing has run, as far as the service says.
            ExecutionLost: the code may have run.
        """
        url, wait = self._url("executions", identifier), timeout_seconds + ANSWER_SECONDS
        call = PoolCall(
            "execute",
            permit,
            "POST",
            url,
            lambda wrapped: self._body(code, timeout_seconds, wrapped=wrapped),
            timeout=wait,
        )
        answer = await self._call(call)
        return execution_of(answer)

    async def upload(self, permit: int, identifier: str, name: str, data: bytes) -> None:
        """Put a file into the session's data folder under a flat name."""
        files = {"file": (name, data, "application/octet-stream")}
        url = self._url("files", identifier)
        await self._call(PoolCall("upload", permit, "POST", url, files=files, size=len(data)))

    async def download(self, permit: int, identifier: str, name: str) -> AsyncGenerator[bytes]:
        """The content of a file of the data folder, in pieces; raises ``SessionFileMissing``."""
        url = self._url(f"files/{quote(name, safe='')}/content", identifier)
        call = PoolCall("download", permit, "GET", url)
        with Call(self._observer, "pool", call.operation):
            try:
                async with self._get(call) as answer:
                    if answer.status_code == httpx.codes.NOT_FOUND:
                        raise SessionFileMissing(name)
                    if not answer.is_success:
                        raise fault_of(answer, answer.content)
                    async for chunk in steadily(answer.aiter_raw(1 << 16)):
                        yield chunk
            except (httpx.HTTPError, TimeoutError) as error:
                raise ExecutionLost(f"the session's file {name} did not come: {error!r}") from error

    @asynccontextmanager
    async def _get(self, call: PoolCall) -> AsyncIterator[httpx.Response]:
        """The answer, without its body unless it tells of an error."""
        for fresh in (False, True):
            request = request_of(call.method, call.url, await self._headers(fresh=fresh), call.timeout)
            async with asyncio.timeout(call.longest):
                answer = await self._transports[call.permit].handle_async_request(request)
                answer.request = request
                if not answer.is_success:
                    answer = await whole(answer)
            try:
                if fresh or answer.status_code != httpx.codes.UNAUTHORIZED:
                    yield answer
                    return
            finally:
                await answer.aclose()

    async def release(self, permit: int, identifier: str) -> bool:
        """Delete the session; False when there is none of the name.

        Raises:
            InfrastructureFault: the service has not confirmed it.
        """
        url = self._url("session", identifier, self._release_version)
        try:
            await self._call(PoolCall("release", permit, "DELETE", url, timeout=RELEASE_SECONDS))
        except SessionGone:
            return False
        except (ExecutionLost, CapacityFault) as error:
            raise InfrastructureFault(f"the session's deletion is not confirmed: {error}") from error
        return True

    async def identifiers(self, permit: int) -> list[str]:
        """The identifiers of all sessions that the pool has allocated, whoever asked for them.

        Raises:
            InfrastructureFault: the service does not answer so that it can be understood.
        """
        found: list[str] = []
        try:
            async with asyncio.timeout(LIST_SECONDS):
                async for page in self._pages(permit):
                    found += page.identifiers
        except (ExecutionLost, SessionGone, TimeoutError) as error:
            said = str(error) or f"not within {LIST_SECONDS:g} s"
            raise InfrastructureFault(f"the session pool does not list its sessions: {said}") from error
        return found

    async def _pages(self, permit: int) -> AsyncIterator[SessionPage]:
        url = f"{self._endpoint}/listSessions?api-version={self._release_version}"
        for _ in range(MOST_PAGES):
            page = sessions_of(await self._call(PoolCall("list", permit, "GET", url)))
            yield page
            if page.next_link is None:
                return
            url = self._own(page.next_link)
        raise InfrastructureFault("the session pool's list does not end")

    def _own(self, link: str) -> str:
        """A link for the next page, if it leads to the pool: it is followed with the token."""
        if not link.startswith(f"{self._endpoint}/"):
            raise InfrastructureFault("the session pool's list goes on elsewhere")
        return link

    def _url(self, path: str, identifier: str, version: str | None = None) -> str:
        query = f"api-version={version or self._version}&identifier={quote(identifier, errors='replace')}"
        return f"{self._endpoint}/{path}?{query}"

    def _body(self, code: str, timeout_seconds: float, *, wrapped: bool) -> bytes:
        body: dict[str, Any] = {
            "codeInputType": "Inline",
            "executionType": "Synchronous",
            "code": code,
            "timeoutInSeconds": max(1, round(timeout_seconds)),
        }
        if self._long_streams:
            body["outputStreamsMaxLength"] = _STREAM_CHARS
        return json.dumps({"properties": body} if wrapped else body).encode()

    async def _call(self, call: PoolCall) -> httpx.Response:
        with Call(self._observer, "pool", call.operation):
            return await self._answer(call)

    async def _answer(self, call: PoolCall) -> httpx.Response:
        wrapped = self._wrapped  # as of now: other calls may find out meanwhile
        answer = await self._send(call, wrapped=wrapped)
        if answer.status_code in _REFUSED:
            answer = await self._send(call, wrapped=wrapped, fresh=True)
        elif is_about_shape(answer):
            self._wrapped = not wrapped
            answer = await self._send(call, wrapped=not wrapped)
        if not answer.is_success:
            raise fault_of(answer, answer.content)
        return answer

    async def _send(self, call: PoolCall, *, wrapped: bool, fresh: bool = False) -> httpx.Response:
        headers = await self._headers(fresh=fresh)
        content = call.content(wrapped) if call.content else None
        if content:
            headers["Content-Type"] = "application/json"
        try:
            request = request_of(
                call.method, call.url, headers, call.timeout, content=content, files=call.files
            )
            async with asyncio.timeout(call.longest):
                answer = await self._transports[call.permit].handle_async_request(request)
                answer.request = request
                return await whole(answer)
        except NOTHING_SENT as error:
            raise InfrastructureFault(f"the session pool is out of reach: {error!r}") from error
        except httpx.HTTPError as error:
            raise ExecutionLost(f"the session pool's answer never came: {error!r}") from error
        except TimeoutError as error:
            raise ExecutionLost(
                f"the session pool's answer never came whole in {call.longest:g} s"
            ) from error

    async def _headers(self, *, fresh: bool = False) -> dict[str, str]:
        return {"Authorization": f"Bearer {await self._tokens.get(fresh=fresh)}"}


@asynccontextmanager
async def open_sessions(
    settings: WorkerSettings, credential: AsyncTokenCredential | None, observer: Observer = SILENT
) -> AsyncIterator[SessionPool]:
    """The pool of the settings, with a transport for each permit."""
    fixed = settings.pool_token.get_secret_value() if settings.pool_token else None
    context = httpx.create_ssl_context()
    limits = httpx.Limits(max_connections=4, max_keepalive_connections=2)
    proxy = proxy_of(settings.pool_endpoint)
    transports = [
        httpx.AsyncHTTPTransport(verify=context, limits=limits, proxy=proxy)
        for _ in range(settings.max_sessions)
    ]
    try:
        yield SessionPool(settings, Tokens(credential, fixed), transports, observer)
    finally:
        for transport in transports:
            await transport.aclose()
