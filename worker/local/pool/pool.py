"""The pool as a service: sessions, spares, self-test and HTTP server under one roof."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, Self

from aiohttp import web

from worker.local.pool import requirements, sandbox
from worker.local.pool.config import MEGABYTE, PoolConfig
from worker.local.pool.file_routes import FileRoutes
from worker.local.pool.front_door import HOST, FrontDoor
from worker.local.pool.gate import Gate, middleware
from worker.local.pool.kernel import server_source
from worker.local.pool.log import event
from worker.local.pool.routes import PREFIX, SessionRoutes
from worker.local.pool.selftest import attack
from worker.local.pool.session import Launcher
from worker.local.pool.sessions import Sessions
from worker.local.pool.warm import WarmSessions, end

CODE_BYTES = 64 * MEGABYTE
FOLLOW_SECONDS = 0.2


class SessionPool:
    """A running pool: `async with SessionPool(config) as pool: pool.endpoint`.

    Start it in a thread that outlives it, for sessions die with the thread that started them. Starting raises
    StartError where sessions cannot be confined and `unsafe_no_sandbox` is not set.
    """

    def __init__(self, config: PoolConfig) -> None:
        self._config = config
        confinement = _sandbox(config)
        self._tier = confinement.tier
        self._launcher = Launcher(confinement, config.limits)
        self._warm = WarmSessions(self._launcher.start, min(config.spares, config.max_sessions))
        self._sessions = Sessions(config, self._warm)
        self._tasks: list[asyncio.Task[None]] = []
        self._runner: web.AppRunner | None = None
        self._door: FrontDoor | None = None
        self.port = 0

    @property
    def endpoint(self) -> str:
        """The pool's management endpoint."""
        return f"http://{HOST}:{self.port}{PREFIX}"

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stop()

    async def _start(self) -> None:
        if not self._config.unsafe_no_sandbox:
            await self._test_sandbox()
        self._spawn(self._warm.keep_filled())
        self._spawn(self._sessions.watch())
        self._runner = web.AppRunner(self._app(), access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        if self._runner.server is None:
            raise TypeError("set up without a server")
        self._door = FrontDoor(self._runner.server, self._config.faults)
        self.port = await self._door.open(self._config.port)
        self._spawn(self._follow_faults(self._door))
        event(logging.INFO, "pool_started", port=self.port, sandbox=self._tier)

    async def _stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._door is not None:
            self._door.close()
        await self._sessions.close()
        await self._warm.close()
        if self._runner is not None:
            await self._runner.cleanup()
        self._launcher.close()
        event(logging.INFO, "pool_stopped")

    async def _follow_faults(self, door: FrontDoor) -> None:
        while True:
            self._config.faults.refresh()
            door.refresh()
            await asyncio.sleep(FOLLOW_SECONDS)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        self._tasks.append(asyncio.create_task(work))

    async def _test_sandbox(self) -> None:
        session = await self._warm.take()
        try:
            await attack(session)
        finally:
            await end(session)

    def _app(self) -> web.Application:
        faults = self._config.faults
        gate = Gate(self._config.token, faults, self._tier)
        app = web.Application(middlewares=[middleware(gate)], client_max_size=CODE_BYTES)
        version = sandbox.node_version(self._config.node)
        metadata = {"nodeVersion": version, "engine": "nel", "packages": [], "sandbox": self._tier}
        app.add_routes(SessionRoutes(self._sessions, faults, metadata).table())
        app.add_routes(FileRoutes(self._sessions, faults, self._config.limits.upload_bytes).table())
        return app


def _sandbox(config: PoolConfig) -> sandbox.Sandbox:
    source = server_source(config.nel)
    if config.unsafe_no_sandbox:
        event(logging.WARNING, "sandbox_disabled", risk="programs run with the rights of this user")
        return sandbox.Unconfined(config.node, source, config.limits)
    requirements.check(config.node)
    return sandbox.Bubblewrap(config.node, source, config.limits)
