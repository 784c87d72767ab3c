"""One TCP connection: the handshake, the frames, and what its peer may use."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from typing import Final
from uuid import uuid4

from worker.local.broker import encode, frames
from worker.local.broker.auth import Grant, TokenCheck, TokenRefusedError
from worker.local.broker.codec import DecodeError
from worker.local.broker.entities import Entities, Target
from worker.local.broker.errors import (
    DECODE_ERROR,
    FRAMING_ERROR,
    ILLEGAL_STATE,
    INTERNAL_ERROR,
    UNAUTHORIZED,
    AmqpError,
)
from worker.local.broker.management import operations_of
from worker.local.broker.nodes import CBS, Node
from worker.local.broker.outlet import Outlet
from worker.local.broker.queues import Queue
from worker.local.broker.requests import serve
from worker.local.broker.session import Serve, Session
from worker.local.faults import BrokerFaults
from worker.local.switches import Switches

FRAME_LIMIT: Final = 65536
_LEAST_FRAME_LIMIT: Final = 512
_ACCEPTED: Final = 202
_UNAUTHORIZED: Final = 401

_log = logging.getLogger(__name__)


class Connection(asyncio.Protocol):
    """Speaks AMQP with one peer. Whatever the peer sends, at worst this connection ends."""

    def __init__(
        self,
        entities: Entities,
        tokens: TokenCheck,
        connections: set["Connection"],
        faults: Switches[BrokerFaults],
    ) -> None:
        self._faults = faults
        self.peer_frame_limit = _LEAST_FRAME_LIMIT
        self._entities = entities
        self._tokens = tokens
        self._connections = connections
        self._grants: dict[str, Grant] = {}
        self._sessions: dict[int, Session] = {}
        self._buffer = b""
        self._step: Callable[[bytes, int], int] = self._take_sasl_header
        self._opened = False
        self._writing_paused = False
        self._transport: asyncio.Transport
        self.outlet: Outlet

    @property
    def writable(self) -> bool:
        """Whether the peer keeps up with what is sent to it."""
        return not self._writing_paused

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to listen."""
        if not isinstance(transport, asyncio.Transport):
            raise TypeError("the broker speaks over streams")
        self._transport = transport
        self.outlet = Outlet(transport, self._faults)
        self._connections.add(self)

    def connection_lost(self, _error: Exception | None) -> None:
        """Take no more messages for this peer."""
        self._connections.discard(self)
        self.outlet.lost()
        for session in self._sessions.values():
            session.close()
        self._sessions.clear()

    def pause_writing(self) -> None:
        """Send no messages until the peer has read what was sent."""
        self._writing_paused = True

    def resume_writing(self) -> None:
        """Go on sending messages."""
        self._writing_paused = False
        for session in self._sessions.values():
            session.resume()

    def data_received(self, data: bytes) -> None:
        """Take all whole frames; the rest waits for more."""
        data = self._buffer + data if self._buffer else data
        position = 0
        try:
            while not self._transport.is_closing() and (taken := self._step(data, position)):
                position += taken
        except (AmqpError, DecodeError) as error:
            self._fail(error if isinstance(error, AmqpError) else AmqpError(DECODE_ERROR, str(error)))
        except Exception:  # noqa: BLE001 - one peer's input must not end the broker
            _log.exception("connection_failed")
            self._fail(AmqpError(INTERNAL_ERROR, "the broker failed at this; its log says more"))
        self._buffer = data[position:]

    def write(self, pieces: Iterable[bytes]) -> None:
        """Send frames; what is sent after the end is dropped."""
        self.outlet.write(b"".join(pieces))

    def close(self) -> None:
        """End the connection as the broker stops."""
        if self._opened:
            problem = AmqpError("amqp:connection:forced", "the broker is stopping")
            self.write([frames.frame(0, frames.CLOSE, [frames.error(problem)])])
        self.outlet.end()

    def find_source(self, node: Node) -> Queue:
        """Return what this peer may take messages from at a node."""
        self._check_grants(node, refused=self._faults.now.refuse_listen)
        return self._entities.source(node)

    def find_target(self, node: Node) -> Target:
        """Return what this peer may send messages to at a node."""
        self._check_grants(node, refused=self._faults.now.refuse_send)
        return self._entities.target(node)

    def find_service(self, node: Node) -> Serve:
        """Return what answers the requests to a node that this peer may use."""
        if node.path == CBS:
            return self._put_token
        self._check_grants(node)
        operations = operations_of(*self._entities.find(node), dead_letters=node.dead_letters)
        return lambda properties, body, reply: serve(operations, properties.get("operation"), body, reply)

    def _check_grants(self, node: Node, *, refused: bool = False) -> None:
        now = time.time()
        if refused or not any(grant.covers(node.path, now) for grant in self._grants.values()):
            raise AmqpError(UNAUTHORIZED, f"no token was put that is valid for this use of {node.path}")

    def _put_token(
        self, properties: dict[object, object], body: object, reply: Callable[[bytes, bytes], None]
    ) -> None:
        audience = str(properties.get("name"))
        try:
            self._grants[audience] = self._tokens.grant(body, audience)
        except TokenRefusedError as refusal:
            status, description = _UNAUTHORIZED, f"InvalidToken: {refusal}"
        else:
            status, description = _ACCEPTED, "Accepted"
        answer = [
            (encode.string("status-code"), encode.integer(status)),
            (encode.string("status-description"), encode.string(description)),
        ]
        reply(encode.mapping(answer), encode.NULL)

    def _take_header(self, data: bytes, position: int, expected: bytes) -> int:
        header = data[position : position + len(expected)]
        if len(header) < len(expected):
            return 0
        self.write([expected])
        if header != expected:
            self.outlet.end()
        return len(expected)

    def _take_sasl_header(self, data: bytes, position: int) -> int:
        taken = self._take_header(data, position, frames.SASL_HEADER)
        if taken:
            self.write([frames.sasl_frame(frames.SASL_MECHANISMS, [encode.symbol("ANONYMOUS")])])
            self._step = self._take_sasl_init
        return taken

    def _take_sasl_init(self, data: bytes, position: int) -> int:
        taken, _, frame = self._take_frame(data, position, frames.SASL_FRAME)
        if frame is not None:
            code = 0 if frame.code == frames.SASL_INIT else 1
            self.write([frames.sasl_frame(frames.SASL_OUTCOME, [encode.ubyte(code)])])
            self._step = self._take_amqp_header
        return taken

    def _take_amqp_header(self, data: bytes, position: int) -> int:
        taken = self._take_header(data, position, frames.AMQP_HEADER)
        if taken:
            self._step = self._take_performative
        return taken

    def _take_frame(self, data: bytes, position: int, kind: int) -> tuple[int, int, frames.Frame | None]:
        """Return the size, channel and performative of the next frame; size 0 when it is not whole yet."""
        if len(data) - position < frames.FRAME_HEAD:
            return 0, 0, None
        size = frames.frame_size(data, position, FRAME_LIMIT)
        if len(data) - position < size:
            return 0, 0, None
        return size, *frames.read_frame(data[position : position + size], kind)

    def _take_performative(self, data: bytes, position: int) -> int:
        taken, channel, frame = self._take_frame(data, position, frames.AMQP_FRAME)
        if frame is not None:
            self._handle(channel, frame)
        return taken

    def _handle(self, channel: int, frame: frames.Frame) -> None:
        session = self._sessions.get(channel)
        if frame.code == frames.OPEN:
            self._open(frame.fields)
        elif not self._opened:
            raise AmqpError(ILLEGAL_STATE, "the first performative must be open")
        elif frame.code == frames.CLOSE:
            self.write([frames.frame(0, frames.CLOSE, [])])
            self.outlet.end()
        elif frame.code == frames.BEGIN:
            self._begin(channel, frame.fields)
        elif frame.code == frames.END:
            self._end(channel)
        elif session is not None:
            session.handle(frame)
        elif frame.code != frames.DETACH:  # the SDK detaches once more after the end of its session
            raise AmqpError(FRAMING_ERROR, f"there is no session on channel {channel}")

    def _open(self, fields: list[object]) -> None:
        if self._opened:
            raise AmqpError(ILLEGAL_STATE, "the connection is open already")
        self._opened = True
        self.peer_frame_limit = max(_LEAST_FRAME_LIMIT, frames.uint(fields, 2, FRAME_LIMIT))
        container = encode.string(f"jsworker-broker-{uuid4()}")
        limits = [encode.uint(FRAME_LIMIT), encode.ushort(255)]
        self.write([frames.frame(0, frames.OPEN, [container, encode.NULL, *limits])])

    def _begin(self, channel: int, fields: list[object]) -> None:
        if channel in self._sessions:
            raise AmqpError(ILLEGAL_STATE, f"there is a session on channel {channel} already")
        self._sessions[channel] = Session(self, channel, fields)

    def _end(self, channel: int) -> None:
        session = self._sessions.pop(channel, None)
        if session is not None:
            session.close()
            self.write([frames.frame(channel, frames.END, [])])

    def _fail(self, problem: AmqpError) -> None:
        _log.warning(
            "connection_refused", extra={"condition": problem.condition, "error": problem.description}
        )
        if self._opened:
            self.write([frames.frame(0, frames.CLOSE, [frames.error(problem)])])
        self.outlet.end()
