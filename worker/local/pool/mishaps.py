"""What goes wrong on purpose with a request that the gate let through."""

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import web

from worker.local.faults import PoolFaults
from worker.local.pool.errors import ServiceError, failure
from worker.local.switches import Switches

LOOK_SECONDS = 0.2
CLOSED_SHARE = 0.5


class Mishaps:
    """Lets requests fail before or after their effect, as the switches say."""

    def __init__(self, faults: Switches[PoolFaults]) -> None:
        self._faults = faults

    async def answer(
        self, request: web.Request, serve: Callable[[], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Answer a request, or do otherwise."""
        if self._faults.happens("error_rate"):
            return _internal_error()
        response = await serve()
        if self._faults.happens("hang_rate"):
            await self._hang(request)
        if self._faults.happens("error_after_rate"):
            return self._spoiled(request, response)
        if isinstance(response, web.Response) and response.body and self._faults.happens("half_body_rate"):
            return await half(request, response)
        return response

    async def _hang(self, request: web.Request) -> None:
        """Wait as long as it is said, or else until the caller is gone."""
        seconds = self._faults.now.hang_seconds
        if seconds is not None:
            await asyncio.sleep(seconds)
        while seconds is None and request.transport is not None:  # noqa: ASYNC110 - nobody tells that it left
            await asyncio.sleep(LOOK_SECONDS)

    def _spoiled(self, request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
        """Say that it failed, or nothing at all: half of the time each."""
        if not response.prepared and self._faults.within(1) > CLOSED_SHARE:
            return _internal_error()
        if request.transport is not None:
            request.transport.abort()
        return response


async def half(request: web.Request, response: web.Response) -> web.StreamResponse:
    """Send half of an answer that tells its whole length, and end the connection."""
    body = response.body if isinstance(response.body, bytes) else b""
    headers = {**response.headers, "Content-Length": str(len(body))}
    begun = web.StreamResponse(status=response.status, headers=headers)
    await begun.prepare(request)
    await begun.write(body[: len(body) // 2])
    if request.transport is not None:
        request.transport.close()
    return begun


def _internal_error() -> web.Response:
    return failure(ServiceError(500, "InternalServerError", "The service failed, as it was told to."))
