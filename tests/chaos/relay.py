"""A relay before each service: connections can be cut, frozen, or lose the answer after the effect."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random


_NO_LINGER = struct.pack("ii", 1, 0)


class Watch(Protocol):
    """Reads along on one connection."""

    @property
    def waiting(self) -> bool:
        """Whether the service owes an answer that is of interest."""

    def sent(self, data: bytes) -> None:
        """The client has sent this."""

    def answered(self, data: bytes) -> None:
        """The service has answered this."""

    def ended(self) -> None:
        """The service's end is closed: nothing more will be answered."""


class Relay:
    """Connections to a port that may change, through one that does not; nothing is interpreted.

    Attributes:
        port: where it listens on loopback.
        target: the port of the service.
        lose_rate: how likely a connection is reset in place of its next answer, which the service has sent.
        injected: how many connections were cut, and how many answers lost.
    """

    def __init__(self, random: Random, watch: Callable[[], Watch] | None = None) -> None:
        self._random, self._watch = random, watch
        self._pairs: set[_Pair] = set()
        self._server: asyncio.Server | None = None
        self.port = self.target = 0
        self.lose_rate = 0.0
        self.frozen = False
        self.injected = {"cut": 0, "lost": 0}

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.get_running_loop().create_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    def close(self) -> None:
        """Listen no more and end all connections."""
        if self._server:
            self._server.close()
        for pair in list(self._pairs):
            pair.cut()

    def cut(self, share: float) -> None:
        """Reset some of the connections."""
        for pair in list(self._pairs):
            if self._random.random() < share:
                self.injected["cut"] += 1
                pair.cut()

    def freeze(self, *, frozen: bool) -> None:
        """Pass nothing on, in either direction, until it is thawed; connections stay open."""
        self.frozen = frozen
        for pair in list(self._pairs):
            pair.freeze(frozen=frozen)

    def loses(self) -> bool:
        """Whether an answer is to be lost; counts it."""
        lost = self.lose_rate > 0 and self._random.random() < self.lose_rate
        self.injected["lost"] += lost
        return lost

    def _accept(self) -> asyncio.Protocol:
        pair = _Pair(self, self._watch() if self._watch else None, self._pairs.discard)
        self._pairs.add(pair)
        return pair.client


class _Pair:
    """One connection and its continuation, which stays until it has answered what the watch waits for."""

    def __init__(self, relay: Relay, watch: Watch | None, on_end: Callable[[_Pair], None]) -> None:
        self._relay, self._watch, self._on_end = relay, watch, on_end
        self.client = _Side(self._from_client, self._client_gone)
        self._service = _Side(self._from_service, self._service_gone)
        self._early: list[bytes] = []
        self._opening: asyncio.Task[None] | None = None
        self._answering = False

    def cut(self) -> None:
        """Reset the client's side."""
        self.client.abort()

    def freeze(self, *, frozen: bool) -> None:
        """Read from neither side, or read again."""
        self.client.freeze(frozen=frozen)
        self._service.freeze(frozen=frozen)

    def _from_client(self, data: bytes) -> None:
        self._answering = False
        if self._watch:
            self._watch.sent(data)
        if self._service.transport:
            self._service.transport.write(data)
            return
        self._early.append(data)
        self._opening = self._opening or asyncio.ensure_future(self._open())

    async def _open(self) -> None:
        try:
            await asyncio.get_running_loop().create_connection(
                lambda: self._service, "127.0.0.1", self._relay.target
            )
        except OSError:
            self._service_gone()
            return
        assert self._service.transport
        self._service.freeze(frozen=self._relay.frozen)
        self._service.transport.write(b"".join(self._early))
        if self.client.is_closed:
            self._client_gone()

    def _from_service(self, data: bytes) -> None:
        if self._watch:
            self._watch.answered(data)
        if self.client.is_closed:
            self._service.abort()
        elif not self._answering and self._relay.loses():
            self.cut()
        else:
            self._answering = True
            self.client.write(data)

    def _client_gone(self) -> None:
        if self._service.transport and not (self._watch and self._watch.waiting):
            self._service.abort()
        if self._opening is None:
            self._on_end(self)

    def _service_gone(self) -> None:
        if self._watch:
            self._watch.ended()
        self.client.close()
        self._on_end(self)


class _Side(asyncio.Protocol):
    """One end of a pair."""

    def __init__(self, on_data: Callable[[bytes], None], on_end: Callable[[], None]) -> None:
        self.transport: asyncio.Transport | None = None
        self._on_data, self._on_end = on_data, on_end

    @property
    def is_closed(self) -> bool:
        return self.transport is None or self.transport.is_closing()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self._on_data(data)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self._on_end()

    def write(self, data: bytes) -> None:
        assert self.transport
        self.transport.write(data)

    def freeze(self, *, frozen: bool) -> None:
        if self.transport and not self.transport.is_closing():
            change = self.transport.pause_reading if frozen else self.transport.resume_reading
            change()

    def close(self) -> None:
        if self.transport:
            self.transport.close()

    def abort(self) -> None:
        """Reset the connection rather than end it in order."""
        if self.transport and not self.transport.is_closing():
            end = self.transport.get_extra_info("socket")
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
            self.transport.abort()
