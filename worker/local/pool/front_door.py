"""Where connections come in, unless the pool is down."""

import asyncio

from aiohttp import web

from worker.local.faults import PoolFaults
from worker.local.switches import Switches

HOST = "127.0.0.1"


class FrontDoor:
    """The listening socket. While the pool is down it stays, so that the port does, and leads nowhere."""

    def __init__(self, server: web.Server, faults: Switches[PoolFaults]) -> None:
        self._server, self._faults = server, faults
        self._listening: asyncio.Server | None = None

    async def open(self, port: int) -> int:
        """Take connections; returns the port."""
        loop = asyncio.get_running_loop()
        self._listening = await loop.create_server(self._protocol, HOST, port, reuse_address=True)
        return int(self._listening.sockets[0].getsockname()[1])

    def refresh(self) -> None:
        """End the connections that there are when the pool went down."""
        for handler in self._server.connections if self._faults.now.down else ():
            if handler.transport is not None:
                handler.transport.abort()

    def close(self) -> None:
        """Take no more connections."""
        if self._listening is not None:
            self._listening.close()

    def _protocol(self) -> asyncio.Protocol:
        return _Nowhere() if self._faults.now.down else self._server()


class _Nowhere(asyncio.Protocol):
    """Ends a connection as soon as it is there."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.Transport):
            transport.abort()
