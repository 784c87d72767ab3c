"""A small HTTP/1.1 server for the benchmark's stand-ins: it must cost far less than what is measured."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import parse_qsl, unquote

_REASONS = {200: "OK", 201: "Created", 202: "Accepted", 204: "No Content", 304: "Not Modified"}
_WITHOUT_BODY = frozenset({204, 304})


@dataclass(frozen=True, slots=True)
class Request:
    """One request; names of headers are in lower case, path and query are decoded."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Response:
    """One answer; to HEAD, ``body`` gives the length and is not sent."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


Handler = Callable[[Request], Response | Awaitable[Response]]


def json_response(document: object, status: int = 200) -> Response:
    return Response(status, json.dumps(document).encode(), {"Content-Type": "application/json"})


class Server:
    """Listens on loopback for as long as its context lasts; port 0 takes a free one."""

    def __init__(self, handler: Handler, port: int = 0) -> None:
        self._handler = handler
        self._port = port
        self._connections: set[_Connection] = set()
        self._listener: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._listener = await loop.create_server(
            lambda: _Connection(self._handler, self._connections), "127.0.0.1", self._port, backlog=1024
        )
        self._port = self._listener.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._listener:
            self._listener.close()
        for connection in tuple(self._connections):
            connection.abort()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"


class _Connection(asyncio.Protocol):
    def __init__(self, handler: Handler, connections: set[_Connection]) -> None:
        self._handler = handler
        self._connections = connections
        self._buffer = bytearray()
        self._head: Request | None = None
        self._answering: asyncio.Task[None] | None = None
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._connections.add(self)

    def connection_lost(self, _: Exception | None) -> None:
        self._connections.discard(self)
        if self._answering:
            self._answering.cancel()

    def abort(self) -> None:
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        self._advance()

    def _advance(self) -> None:
        while not self._answering and (request := self._take()):
            answer = self._handler(request)
            if isinstance(answer, Response):
                self._send(request, answer)
            else:
                self._answering = asyncio.ensure_future(self._send_later(request, answer))

    async def _send_later(self, request: Request, answer: Awaitable[Response]) -> None:
        response = await answer
        self._answering = None
        self._send(request, response)
        self._advance()

    def _take(self) -> Request | None:
        """The next request that has come in whole."""
        if not self._head:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return None
            self._head = _parse_head(self._buffer[:end].decode("latin-1"))
            del self._buffer[: end + 4]
        head, length = self._head, int(self._head.headers.get("content-length", 0))
        if len(self._buffer) < length:
            return None
        body = bytes(self._buffer[:length])
        del self._buffer[:length]
        self._head = None
        return Request(head.method, head.path, head.query, head.headers, body)

    def _send(self, request: Request, response: Response) -> None:
        status = response.status
        lines = [f"HTTP/1.1 {status} {_REASONS.get(status, 'Error')}"]
        lines += [f"{name}: {value}" for name, value in response.headers.items()]
        if status not in _WITHOUT_BODY:
            lines.append(f"Content-Length: {len(response.body)}")
        head = "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"
        bodiless = request.method == "HEAD" or status in _WITHOUT_BODY
        self._transport.write(head if bodiless else head + response.body)


def _parse_head(text: str) -> Request:
    first, *lines = text.split("\r\n")
    method, target, _ = first.split(" ")
    path, _, query = target.partition("?")
    fields = (line.partition(":") for line in lines)
    headers = {name.lower(): value.strip() for name, _, value in fields}
    return Request(method, unquote(path), dict(parse_qsl(query, keep_blank_values=True)), headers)


async def serve_until_stdin_closes(ready: dict[str, str]) -> None:
    """Print the ready line and serve until whoever started this process is gone.

    The end of a pipe comes even when its other end is killed.
    """
    sys.stdout.write(json.dumps(ready) + "\n")
    sys.stdout.flush()
    loop, closed = asyncio.get_running_loop(), asyncio.Event()

    def read() -> None:
        if not os.read(0, 4096):
            closed.set()

    loop.add_reader(0, read)
    await closed.wait()
    loop.remove_reader(0)
