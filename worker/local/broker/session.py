"""One AMQP session: its links, its windows, and the deliveries that are under way."""

from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from typing import Final, Protocol

from worker.local.broker import encode, frames
from worker.local.broker.codec import DecodeError, Described
from worker.local.broker.entities import Target
from worker.local.broker.errors import (
    DECODE_ERROR,
    ILLEGAL_STATE,
    LOCK_LOST_TEXT,
    MESSAGE_LOCK_LOST,
    AmqpError,
)
from worker.local.broker.links import ConsumerLink, Delivery, InboundLink, Link, ResponseLink, settle, unpack
from worker.local.broker.message import read_request, render_response
from worker.local.broker.nodes import Node
from worker.local.broker.queues import Queue
from worker.local.broker.values import LockLostError

INCOMING_WINDOW: Final = 0x7FFFFFFF
# The SDK takes a settled delivery of ours for its own request of the same number: keep them far apart.
FIRST_DELIVERY: Final = 0x10000000
_REQUEST_LIMIT: Final = 4 * 1024 * 1024
_RECEIVE_AND_DELETE: Final = 1

Serve = Callable[[dict[object, object], object, Callable[[bytes, bytes], None]], None]


class Host(Protocol):
    """What a session needs of its connection and the broker."""

    peer_frame_limit: int

    @property
    def writable(self) -> bool:
        """Whether the peer keeps up with what is sent to it."""

    def write(self, pieces: Iterable[bytes]) -> None:
        """Send frames."""

    def find_source(self, node: Node) -> Queue:
        """Return what this peer may take messages from at a node."""

    def find_target(self, node: Node) -> Target:
        """Return what this peer may send messages to at a node."""

    def find_service(self, node: Node) -> Serve:
        """Return what answers the requests to a node that this peer may use."""


class Session:
    """Handles the performatives of one channel."""

    def __init__(self, host: Host, channel: int, begin: list[object]) -> None:
        self._host = host
        self._channel = channel
        self._links: dict[int, Link] = {}
        self._response_handles: dict[str, int] = {}
        self._next_incoming = frames.uint(begin, 1)
        self._window = frames.uint(begin, 2)
        self._next_transfer = FIRST_DELIVERY
        self._next_delivery = FIRST_DELIVERY
        self._outbox: deque[bytes] = deque()
        self._handlers: dict[int, Callable[[list[object], bytes], None]] = {
            frames.ATTACH: self._on_attach,
            frames.FLOW: self._on_flow,
            frames.TRANSFER: self._on_transfer,
            frames.DISPOSITION: self._on_disposition,
            frames.DETACH: self._on_detach,
        }
        window = encode.uint(INCOMING_WINDOW)
        fields = [encode.ushort(channel), encode.uint(FIRST_DELIVERY), window, window, encode.uint(255)]
        self._send(frames.BEGIN, fields)

    @property
    def writable(self) -> bool:
        """Whether the peer takes more."""
        return not self._outbox and self._host.writable

    def handle(self, frame: frames.Frame) -> None:
        """Take a performative other than begin and end."""
        handler = self._handlers.get(frame.code)
        if handler is None:
            raise AmqpError(ILLEGAL_STATE, f"performative 0x{frame.code:02x} is not expected in a session")
        handler(frame.fields, frame.payload)

    def resume(self) -> None:
        """Get consumers back in line after the peer caught up."""
        for link in list(self._links.values()):
            if isinstance(link, ConsumerLink):
                link.offer()

    def close(self) -> None:
        """Close all links."""
        for link in self._links.values():
            link.close()
        self._links.clear()

    def transfer(self, handle: int, tag: bytes, data: bytes, *, settled: bool) -> int:
        """Send a message; returns its delivery number."""
        number = self._next_delivery
        self._next_delivery = (number + 1) & 0xFFFFFFFF
        limit = self._host.peer_frame_limit
        self._outbox += frames.transfers(
            self._channel, handle, number, tag, data, settled=settled, limit=limit
        )
        self._pump()
        return number

    def flow(self, handle: int, delivery_count: int, credit: int, *, drain: bool = False) -> None:
        """Tell the state of a link and of this session."""
        link = [handle, delivery_count, credit]
        fields = [*self._windows(), *map(encode.uint, link), encode.NULL, encode.boolean(drain)]
        self._send(frames.FLOW, fields)

    def _windows(self) -> list[bytes]:
        numbers = [self._next_incoming, INCOMING_WINDOW, self._next_transfer, INCOMING_WINDOW]
        return [encode.uint(number) for number in numbers]

    def _send(self, code: int, fields: list[bytes]) -> None:
        self._host.write([frames.frame(self._channel, code, fields)])

    def _pump(self) -> None:
        count = min(self._window, len(self._outbox))
        if count:
            self._window -= count
            self._next_transfer = (self._next_transfer + count) & 0xFFFFFFFF
            self._host.write([self._outbox.popleft() for _ in range(count)])

    def _settle(self, number: int, state: bytes, *, from_receiver: bool) -> None:
        self._host.write([frames.disposition(self._channel, number, state, from_receiver=from_receiver)])

    def _link(self, fields: list[object]) -> Link:
        link = self._links.get(frames.uint(fields, 0))
        if link is None:
            raise AmqpError("amqp:session:unattached-handle", "there is no link with this handle")
        return link

    def _on_transfer(self, fields: list[object], payload: bytes) -> None:
        self._next_incoming = (self._next_incoming + 1) & 0xFFFFFFFF
        self._link(fields).on_transfer(fields, payload)

    def _on_flow(self, fields: list[object], _payload: bytes) -> None:
        expected = frames.uint(fields, 0, FIRST_DELIVERY)
        self._window = max(0, expected + frames.uint(fields, 1) - self._next_transfer)
        stalled = bool(self._outbox)
        self._pump()
        if stalled:
            self.resume()
        if frames.optional(fields, 4, int) is not None:
            link = self._links.get(frames.uint(fields, 4))
            if link is not None:
                link.on_flow(fields)

    def _on_disposition(self, fields: list[object], _payload: bytes) -> None:
        first = frames.uint(fields, 1)
        last = frames.uint(fields, 2, first)
        state = frames.optional(fields, 4, Described)
        if not frames.flag(fields, 0) or state is None:
            return
        for link in self._links.values():
            if isinstance(link, ConsumerLink):
                for number, token in link.take_unsettled(first, last):
                    self._apply(link.queue, number, token, state, echo=not frames.flag(fields, 3))

    def _apply(self, queue: Queue, number: int, token: bytes, state: Described, *, echo: bool) -> None:
        done = frames.outcome(state.descriptor if isinstance(state.descriptor, int) else 0)
        echo = echo and not queue.faults.happens("withhold_settlement_rate")
        confirm = partial(self._settle, number, done, from_receiver=False) if echo else _nothing
        try:
            settle(queue, token, state, confirm)
        except LockLostError:
            if echo:
                problem = AmqpError(MESSAGE_LOCK_LOST, LOCK_LOST_TEXT)
                lost = frames.outcome(frames.REJECTED, problem)
                queue.after_commit(partial(self._settle, number, lost, from_receiver=False))

    def _on_attach(self, fields: list[object], _payload: bytes) -> None:
        handle = frames.uint(fields, 1)
        if handle in self._links:
            raise AmqpError("amqp:session:handle-in-use", "there is a link with this handle already")
        peer_receives = frames.flag(fields, 2)
        try:
            node = Node.parse(frames.terminus_address(fields, 5 if peer_receives else 6))
            link, limit = self._open_link(handle, node, fields, peer_receives=peer_receives)
        except AmqpError as problem:
            self._send(frames.ATTACH, frames.attach_reply(fields, 0, refused=True))
            self._send(frames.DETACH, [encode.uint(handle), encode.TRUE, frames.error(problem)])
            return
        self._links[handle] = link
        self._send(frames.ATTACH, frames.attach_reply(fields, limit, refused=False))
        if isinstance(link, InboundLink):
            link.grant_credit()

    def _open_link(
        self, handle: int, node: Node, fields: list[object], *, peer_receives: bool
    ) -> tuple[Link, int]:
        """Return the broker's end and the largest message it takes."""
        if node.answers_requests:
            serve = self._host.find_service(node)
            if peer_receives:
                self._response_handles[node.path] = handle
                return ResponseLink(), _REQUEST_LIMIT
            return InboundLink(
                self, handle, _REQUEST_LIMIT, partial(self._request, node, serve)
            ), _REQUEST_LIMIT
        if peer_receives:
            queue = self._host.find_source(node)
            delete = frames.uint(fields, 3, 2) == _RECEIVE_AND_DELETE
            consumer = ConsumerLink(self, handle, queue, dead_letters=node.dead_letters, delete=delete)
            return consumer, queue.settings.max_message_bytes
        target = self._host.find_target(node)
        limit = target.settings.max_message_bytes
        return InboundLink(self, handle, limit, partial(self._submit, target)), limit

    def _on_detach(self, fields: list[object], _payload: bytes) -> None:
        handle = frames.uint(fields, 0)
        link = self._links.pop(handle, None)
        if link is not None:
            link.close()
            self._send(frames.DETACH, [encode.uint(handle), encode.TRUE])

    def _submit(self, target: Target, delivery: Delivery) -> None:
        accepted = frames.outcome(frames.ACCEPTED)
        confirm = partial(self._settle, delivery.number, accepted, from_receiver=True)
        try:
            target.send(unpack(delivery), _nothing if delivery.settled else confirm)
        except (AmqpError, DecodeError) as error:
            problem = error if isinstance(error, AmqpError) else AmqpError(DECODE_ERROR, str(error))
            rejected = frames.outcome(frames.REJECTED, problem)
            self._settle(delivery.number, rejected, from_receiver=True)

    def _request(self, node: Node, serve: Serve, delivery: Delivery) -> None:
        self._settle(delivery.number, frames.outcome(frames.ACCEPTED), from_receiver=True)
        correlation_id, properties, body = read_request(delivery.data or b"")
        serve(properties, body, partial(self._respond, node, correlation_id))

    def _respond(self, node: Node, correlation_id: bytes, properties: bytes, body: bytes) -> None:
        handle = self._response_handles.get(node.path)
        if handle in self._links:
            data = render_response(correlation_id, properties, body)
            self.transfer(handle, b"answer", data, settled=True)


def _nothing() -> None:
    return
