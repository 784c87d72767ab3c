"""What every request passes first: host, bearer token, API version, and the faults that concern them all."""

import asyncio
import hmac
import uuid

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from worker.local.faults import PoolFaults
from worker.local.pool.errors import KernelDiedError, ServiceError, failure
from worker.local.pool.mishaps import Mishaps
from worker.local.pool.requests import VERSIONS
from worker.local.switches import Switches

LOOPBACK_HOSTS = {"127.0.0.1", "localhost", "[::1]"}


class Gate:
    """Lets through what the service would; turns errors into answers."""

    def __init__(self, token: str, faults: Switches[PoolFaults], tier: str) -> None:
        self._expected = f"Bearer {token}".encode()
        self._faults, self._tier = faults, tier
        self._mishaps = Mishaps(faults)
        self._refused_once = False

    async def handle(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer a request, or say why not."""
        if self._faults.now.latency_seconds:
            await asyncio.sleep(self._faults.now.latency_seconds)
        response = self._refusal(request)
        if response is None:
            response = await self._mishaps.answer(request, lambda: self._answer(request, handler))
        if not response.prepared:
            response.headers["x-jsworker-sandbox"] = self._tier
            response.headers["mise-correlation-id"] = str(uuid.uuid4())
        return response

    def _refusal(self, request: web.Request) -> web.StreamResponse | None:
        if request.host.rsplit(":", 1)[0] not in LOOPBACK_HOSTS:
            return web.Response(status=421, text="This pool answers on loopback only.")
        given = request.headers.get("Authorization", "").encode(errors="replace")
        known_version = request.query.get("api-version") in VERSIONS
        if not hmac.compare_digest(given, self._expected) or not known_version:
            return web.Response(status=401)
        if self._refuses_once():
            return web.Response(status=401)
        if self._faults.happens("unavailable_rate"):
            return web.Response(status=503, text="The service is unavailable.")
        return None

    def _refuses_once(self) -> bool:
        """Whether this is the first request since the switch was turned on."""
        before, self._refused_once = self._refused_once, self._faults.now.unauthorized_once
        return self._refused_once and not before

    async def _answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except ServiceError as error:
            return failure(error)
        except KernelDiedError as error:
            return failure(ServiceError(409, "SessionNotUsable", str(error)))


def middleware(gate: Gate) -> Middleware:
    """Return the gate as aiohttp wants it."""

    @web.middleware
    async def pass_gate(request: web.Request, handler: Handler) -> web.StreamResponse:
        return await gate.handle(request, handler)

    return pass_gate
