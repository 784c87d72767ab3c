"""A session pool that answers each request as the test has written down beforehand."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Self

from aiohttp import web


@dataclass(frozen=True)
class Answer:
    """``cut`` closes the connection within the body, ``drop`` before it, ``hang`` gives no answer at all.

    ``trickles`` sends a byte each tenth of a second.
    """

    status: int = 200
    body: bytes | dict[str, Any] = b""
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False
    drop: bool = False
    hang: bool = False
    trickles: bool = False


@dataclass(frozen=True)
class Seen:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


class ScriptedPool:
    """On loopback for as long as its context lasts."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self._answers: deque[Answer] = deque()
        self._runner = web.ServerRunner(web.Server(self._answer), shutdown_timeout=0)
        self._url = ""
        self._ended = asyncio.Event()

    def plan(self, *answers: Answer) -> None:
        self._answers += answers

    @property
    def url(self) -> str:
        return f"{self._url}/subscriptions/s/sessionPools/p"

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self._url = f"http://{host}:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._ended.set()
        await self._runner.cleanup()

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        body = await request.read()
        self.seen.append(Seen(request.method, request.path, dict(request.query), dict(request.headers), body))
        answer = self._answers.popleft()
        if answer.hang:
            await self._ended.wait()
        if answer.drop or answer.hang:
            assert request.transport
            request.transport.abort()
            return web.Response()
        if isinstance(answer.body, dict):
            return web.json_response(answer.body, status=answer.status, headers=answer.headers)
        if answer.cut:
            return await _cut(request, answer.body)
        if answer.trickles:
            return await self._trickle(request, answer.body)
        return web.Response(status=answer.status, body=answer.body, headers=answer.headers)

    async def _trickle(self, request: web.BaseRequest, body: bytes) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": str(len(body))})
        await response.prepare(request)
        for at in range(len(body)):
            if self._ended.is_set() or request.transport is None:
                break
            await response.write(body[at : at + 1])
            await asyncio.sleep(0.1)
        return response


async def _cut(request: web.BaseRequest, body: bytes) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": str(len(body) + 100)})
    await response.prepare(request)
    await response.write(body)
    assert request.transport
    request.transport.close()
    return response
