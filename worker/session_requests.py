"""Calls to a session pool's data plane: the requests, and their answers as far as they may go."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.request import getproxies, proxy_bypass

import httpx

from worker.clock import now
from worker.faults import SessionLost

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable

CONNECT_SECONDS = 15.0
READ_SECONDS = 60.0
MOST_BYTES = 16 << 20  # four times what two streams and a value can have when all of it is escaped
LEAST_RATE = 16 << 10  # bytes a second, on the whole, of files
NOTHING_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.InvalidURL,
)
_OF_THE_BODY = frozenset({b"content-length", b"transfer-encoding"})


@dataclass(frozen=True)
class PoolCall:
    """A request; ``content`` makes the body, wrapped in ``properties`` or not; ``size`` is its files'."""

    operation: str
    permit: int
    method: str
    url: str
    content: Callable[[bool], bytes] | None = None
    files: dict[str, Any] | None = None
    size: int = 0
    timeout: float = READ_SECONDS

    @property
    def longest(self) -> float:
        """Seconds until the answer must be whole, even if some of it comes all the time; files add theirs."""
        return 2 * self.timeout + self.size / LEAST_RATE


def request_of(method: str, url: str, headers: dict[str, str], timeout: float, **body: Any) -> httpx.Request:  # noqa: ANN401 - httpx's
    """A request with bounds on each part of it; ``timeout`` is that of the answer, in seconds."""
    bounds = {"connect": CONNECT_SECONDS, "read": timeout, "write": timeout, "pool": timeout}
    plain = {"Accept-Encoding": "identity", **headers}
    return httpx.Request(method, url, headers=plain, extensions={"timeout": bounds}, **body)


def proxy_of(endpoint: str) -> str | None:
    """The proxy that the environment names for the endpoint."""
    url = httpx.URL(endpoint)
    return None if proxy_bypass(url.host) else getproxies().get(url.scheme)


async def whole(answer: httpx.Response) -> httpx.Response:
    """The answer with its body, of which no more is taken than shows that it is too large.

    Nothing packed was asked for, and nothing is unpacked: a thousand bytes may stand for a gigabyte.

    Raises:
        SessionLost: it has more than ``MOST_BYTES``, which is the session's doing.
        httpx.HTTPError: it did not come whole, or is packed.
    """
    body = bytearray()
    try:
        if answer.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise httpx.DecodingError("it is packed, which nobody asked for", request=answer.request)
        async for piece in answer.aiter_raw():
            body += piece
            if len(body) > MOST_BYTES:
                raise SessionLost(f"the session pool's answer has more than {MOST_BYTES >> 20} MB")
    finally:
        await answer.aclose()
    headers = [item for item in answer.headers.raw if item[0].lower() not in _OF_THE_BODY]
    return httpx.Response(answer.status_code, headers=headers, content=bytes(body), request=answer.request)


async def steadily(pieces: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
    """Pieces as they come; whoever takes them may take his time.

    Raises:
        TimeoutError: they fall behind ``LEAST_RATE`` by more than ``READ_SECONDS``.
    """
    left = READ_SECONDS
    while True:
        begin = now()
        async with asyncio.timeout(left):
            piece = await anext(pieces, None)
        if piece is None:
            return
        left = min(READ_SECONDS, left + len(piece) / LEAST_RATE - (now() - begin))
        yield piece
