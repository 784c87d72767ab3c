"""``/health/live``, ``/health/ready`` and ``/metrics`` for platforms, ``/status`` for this machine alone."""

from __future__ import annotations

import os
import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import structlog
from aiohttp import web

from worker import loopback
from worker.settings import unusable
from worker.status import PATH

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from worker.status import Status
    from worker.vitals import Vitals

log = structlog.get_logger()
CLOSE_SECONDS = 1.0
PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"


@asynccontextmanager
async def serve_health(
    vitals: Vitals,
    port: int | None,
    status: Callable[[], Status] | None = None,
    *,
    host: str = "",
    metrics: Callable[[], bytes] | None = None,
) -> AsyncIterator[int | None]:
    """Answer probes while the context lasts; gives the port, which 0 leaves to the system.

    Without a host it is on all interfaces, without a port nothing is served, without a status no ``/status``,
    and no ``/metrics`` without what makes that text for Prometheus.

    Raises:
        SettingsError: the port cannot be listened on.
    """
    if port is None:
        yield None
        return
    application = _application(vitals, status, metrics)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=CLOSE_SECONDS)
    await runner.setup()
    try:
        listening = _listening(port, host)
        await web.SockSite(runner, listening).start()
        served = int(listening.getsockname()[1])
        log.info("health_served", port=served)
        yield served
    finally:
        await runner.cleanup()


def _application(
    vitals: Vitals, status: Callable[[], Status] | None, metrics: Callable[[], bytes] | None
) -> web.Application:
    app = web.Application()
    app.router.add_get("/health/live", _answering(vitals.live))
    app.router.add_get("/health/ready", _answering(vitals.ready))
    if status:
        app.router.add_get(PATH, _telling(status))
    if metrics:
        app.router.add_get("/metrics", _measuring(metrics))
    return app


def _measuring(metrics: Callable[[], bytes]) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def answer(_request: web.Request) -> web.Response:
        return web.Response(body=metrics(), headers={"Content-Type": PROMETHEUS})

    return answer


def _answering(problems: Callable[[], list[str]]) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def answer(_request: web.Request) -> web.Response:
        reasons = problems()
        return web.json_response(
            {"status": "failing" if reasons else "ok", "reasons": reasons},
            status=503 if reasons else 200,
            headers={"Cache-Control": "no-store"},
        )

    return answer


def _telling(status: Callable[[], Status]) -> Callable[[web.Request], Awaitable[web.Response]]:
    """Answer with the status, which has names of jobs in it, to this machine only: probes are open to all."""

    async def answer(request: web.Request) -> web.Response:
        if refused := loopback.refusal(request.remote, request.headers.get("Host", ""), request.headers):
            return web.json_response({"status": "refused", "reasons": [refused]}, status=403)
        return web.Response(
            text=status().model_dump_json(),
            content_type="application/json",
            headers={"Cache-Control": "no-store"},
        )

    return answer


def _listening(port: int, host: str) -> socket.socket:
    """A socket for IPv6 and IPv4 at once where there is both: two sockets would get two ports of 0."""
    dual = not host and socket.has_dualstack_ipv6()
    try:
        return socket.create_server(
            (host, port), family=socket.AF_INET6 if dual else socket.AF_INET, dualstack_ipv6=dual
        )
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        raise unusable(
            "HEALTH_PORT",
            f"port {port} cannot be listened on ({reason}); stop what listens there, or set another",
        ) from error
