"""A proxy before a service that changes answers: as a role, a condition or a clock does that is not right."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import aiohttp
from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    Alter = Callable[["Asked", "Answer"], "Answer"]

HOP_BY_HOP = {"transfer-encoding", "connection", "keep-alive", "content-length", "content-encoding", "host"}


@dataclass(frozen=True)
class Asked:
    """A request as far as what is altered depends on it; names of headers are in lower case."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Answer:
    """An answer as it is passed on."""

    status: int
    headers: dict[str, str]
    body: bytes

    def having(self, **headers: str) -> Answer:
        """The answer with other headers."""
        return replace(self, headers={**self.headers, **headers})


@asynccontextmanager
async def proxied(port: int, alter: Alter) -> AsyncIterator[int]:
    """The port of a proxy before a port of this machine."""
    async with aiohttp.ClientSession(auto_decompress=False) as session:

        async def handle(request: web.Request) -> web.Response:
            asked = Asked(
                request.method,
                request.path,
                request.query_string,
                {name.lower(): value for name, value in request.headers.items()},
                await request.read(),
            )
            answer = alter(asked, await _passed_on(session, port, request, asked))
            return web.Response(status=answer.status, headers=answer.headers, body=answer.body)

        app = web.Application(client_max_size=1 << 24)
        app.router.add_route("*", "/{path:.*}", handle)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            yield int(runner.addresses[0][1])
        finally:
            await runner.cleanup()


async def _passed_on(session: aiohttp.ClientSession, port: int, request: web.Request, asked: Asked) -> Answer:
    headers = {name: value for name, value in request.headers.items() if name.lower() not in HOP_BY_HOP}
    url = request.url.with_host("127.0.0.1").with_port(port)
    async with session.request(
        asked.method, url, headers=headers, data=asked.body or None, skip_auto_headers=["Content-Type"]
    ) as answer:
        passed = {name: value for name, value in answer.headers.items() if name.lower() not in HOP_BY_HOP}
        return Answer(answer.status, passed, await answer.read())
