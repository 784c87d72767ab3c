"""What every request passes first: host, bearer token, API version, and the quirks that concern them all."""

import hmac
import json
import random
import uuid

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from worker.local.pool.errors import KernelDiedError, ServiceError
from worker.local.pool.quirks import Quirks
from worker.local.pool.requests import VERSIONS

LOOPBACK_HOSTS = {"127.0.0.1", "localhost", "[::1]"}


class Gate:
    """Lets through what the service would; turns errors into answers."""

    def __init__(self, token: str, quirks: Quirks, tier: str) -> None:
        self._expected = f"Bearer {token}".encode()
        self._quirks, self._tier = quirks, tier
        self._refuse_next = quirks.unauthorized_once

    async def handle(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer a request, or say why not."""
        refusal = self._refusal(request)
        response = refusal if refusal is not None else await self._answer(request, handler)
        if not response.prepared:
            response.headers["x-jsworker-sandbox"] = self._tier
            response.headers["mise-correlation-id"] = str(uuid.uuid4())
        return response

    def _refusal(self, request: web.Request) -> web.Response | None:
        if request.host.rsplit(":", 1)[0] not in LOOPBACK_HOSTS:
            return web.Response(status=421, text="This pool answers on loopback only.")
        given = request.headers.get("Authorization", "").encode(errors="replace")
        known_version = request.query.get("api-version") in VERSIONS
        if not hmac.compare_digest(given, self._expected) or not known_version:
            return web.Response(status=401)
        if self._refuse_next:
            self._refuse_next = False
            return web.Response(status=401)
        if self._quirks.unavailable_rate > random.random():  # noqa: S311 - no secret depends on it
            return web.Response(status=503, text="The service is unavailable.")
        return None

    async def _answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except ServiceError as error:
            return failure(error)
        except KernelDiedError as error:
            return failure(ServiceError(409, "SessionNotUsable", str(error)))


def failure(error: ServiceError) -> web.Response:
    """Return the answer for an error."""
    headers = {"x-ms-error-code": error.code}
    return web.json_response(error.body(), status=error.status, headers=headers, dumps=json.dumps)


def middleware(gate: Gate) -> Middleware:
    """Return the gate as aiohttp wants it."""

    @web.middleware
    async def pass_gate(request: web.Request, handler: Handler) -> web.StreamResponse:
        return await gate.handle(request, handler)

    return pass_gate
