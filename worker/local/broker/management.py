"""The operations of `<entity>/$management`: requests as messages, each answered by one."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar
from uuid import UUID

from worker.local.broker import encode
from worker.local.broker.codec import DecodeError
from worker.local.broker.errors import (
    ARGUMENT_ERROR,
    LOCK_LOST_TEXT,
    MESSAGE_LOCK_LOST,
    MESSAGE_NOT_FOUND,
    NOT_IMPLEMENTED,
    SERVER_BUSY,
    AmqpError,
)
from worker.local.broker.links import text_or_none
from worker.local.broker.message import parse
from worker.local.broker.queues import Queue
from worker.local.broker.values import DeadLetter, LockLostError, Message, MessageNotFoundError

_OK, _NO_CONTENT, _BAD_REQUEST, _NOT_FOUND, _GONE = 200, 204, 400, 404, 410
_NOT_IMPLEMENTED, _BUSY = 501, 503
_VENDOR = "com.microsoft:"
_MOST_PEEKED = 1000
_T = TypeVar("_T")

Body = dict[object, object]
Reply = Callable[[bytes, bytes], None]


@dataclass(frozen=True, slots=True)
class Management:
    """Serves one entity. Answers go through a `reply` that takes encoded properties and body."""

    queue: Queue
    dead_letters: bool

    def serve(self, operation: object, body: object, reply: Reply) -> None:
        """Do what was asked for; the answer follows when it is durable."""
        serve = _OPERATIONS.get(str(operation).removeprefix(_VENDOR))
        if serve is None:
            unknown = AmqpError(NOT_IMPLEMENTED, f"there is no operation {operation}")
            _fail(reply, _NOT_IMPLEMENTED, unknown)
            return
        try:
            serve(self, body if isinstance(body, dict) else {}, reply)
        except LockLostError:
            _fail(reply, _GONE, AmqpError(MESSAGE_LOCK_LOST, LOCK_LOST_TEXT))
        except MessageNotFoundError as error:
            text = f"There is no message with sequence number {error} in the state this needs."
            _fail(reply, _NOT_FOUND, AmqpError(MESSAGE_NOT_FOUND, text))
        except DecodeError as error:
            _fail(reply, _BAD_REQUEST, AmqpError(ARGUMENT_ERROR, str(error)))
        except AmqpError as error:
            _fail(reply, _BUSY if error.condition == SERVER_BUSY else _BAD_REQUEST, error)

    def renew_lock(self, body: Body, reply: Reply) -> None:
        """Renew locks; answers until when they hold."""
        until = self.queue.renew(_tokens(body))
        answer = _body("expirations", encode.array_of_timestamps(until))
        self.queue.after_commit(partial(_ok, reply, answer))

    def schedule_message(self, body: Body, reply: Reply) -> None:
        """Accept messages whose annotations say when they become active."""
        data = [_field(entry, "message", bytes) for entry in _items(body, "messages", dict)]
        for message in data:
            if len(message) > self.queue.settings.max_message_bytes:
                raise AmqpError(ARGUMENT_ERROR, "a message is larger than the queue allows")
        numbers: list[int] = []
        numbers += self.queue.send(
            [parse(message) for message in data],
            lambda: _ok(reply, _body("sequence-numbers", encode.array_of_longs(numbers))),
        )

    def cancel_scheduled_message(self, body: Body, reply: Reply) -> None:
        """Remove messages that are still scheduled."""
        numbers = _items(body, "sequence-numbers", int)
        self.queue.cancel_scheduled(numbers, partial(_ok, reply, encode.EMPTY_MAP))

    def peek_message(self, body: Body, reply: Reply) -> None:
        """Show messages of any state."""
        start, count = _field(body, "from-sequence-number", int), _field(body, "message-count", int)
        found = self.queue.peek(start, min(count, _MOST_PEEKED), dead_letters=self.dead_letters)
        self.queue.after_commit(partial(self._show, found, reply))

    def receive_by_sequence_number(self, body: Body, reply: Reply) -> None:
        """Lock (or take) deferred messages."""
        numbers = _items(body, "sequence-numbers", int)
        locked = self.queue.acquire_deferred(numbers, dead_letters=self.dead_letters)
        delete = body.get("receiver-settle-mode") == 0
        self.queue.after_commit(partial(self._hand_out, locked, reply, delete=delete))

    def update_disposition(self, body: Body, reply: Reply) -> None:
        """Settle messages by their lock tokens, where the link they came over is gone."""
        if self.queue.faults.happens("lose_settlement_rate"):
            return
        status = _field(body, "disposition-status", str)
        why = DeadLetter(
            text_or_none(body, "deadletter-reason"), text_or_none(body, "deadletter-description")
        )
        for token in _tokens(body):
            if status == "completed":
                self.queue.complete(token, _nothing)
            elif status == "abandoned":
                self.queue.abandon(token, _nothing)
            elif status in {"defered", "deferred"}:
                self.queue.defer(token, _nothing)
            elif status in {"suspended", "suspend"}:
                self.queue.dead_letter(token, why, _nothing)
            else:
                raise AmqpError(ARGUMENT_ERROR, f"there is no disposition {status}")
        if not self.queue.faults.happens("withhold_settlement_rate"):
            self.queue.after_commit(partial(_ok, reply, encode.EMPTY_MAP))

    def _show(self, messages: list[Message], reply: Reply) -> None:
        rendered = [data for message in messages if (data := self.queue.render(message)) is not None]
        entries = [_body("message", encode.binary(data)) for data in rendered]
        if entries:
            _ok(reply, _body("messages", encode.sequence(entries)))
        else:
            _answer(reply, _NO_CONTENT, "No Content", encode.EMPTY_MAP)

    def _hand_out(self, messages: list[Message], reply: Reply, *, delete: bool) -> None:
        entries, tokens = [], []
        for message in messages:
            data, token = self.queue.render(message), message.token
            if data is not None and token is not None:
                fields = {"message": encode.binary(data), "lock-token": encode.uuid(UUID(bytes_le=token))}
                entries.append(encode.mapping((encode.string(key), value) for key, value in fields.items()))
                tokens.append(token)
        for token in tokens if delete else []:
            self.queue.complete(token, _nothing)
        answer = _body("messages", encode.sequence(entries))
        self.queue.after_commit(partial(_ok, reply, answer))


_OPERATIONS: dict[str, Callable[[Management, Body, Reply], None]] = {
    "renew-lock": Management.renew_lock,
    "schedule-message": Management.schedule_message,
    "cancel-scheduled-message": Management.cancel_scheduled_message,
    "peek-message": Management.peek_message,
    "receive-by-sequence-number": Management.receive_by_sequence_number,
    "update-disposition": Management.update_disposition,
}


def _nothing() -> None:
    return


def _ok(reply: Reply, body: bytes) -> None:
    _answer(reply, _OK, "OK", body)


def _fail(reply: Reply, status: int, problem: AmqpError) -> None:
    condition = [(encode.string("errorCondition"), encode.symbol(problem.condition))]
    _answer(reply, status, problem.description, encode.EMPTY_MAP, condition)


def _answer(
    reply: Reply, status: int, description: str, body: bytes, more: list[tuple[bytes, bytes]] | None = None
) -> None:
    properties = [
        (encode.string("statusCode"), encode.integer(status)),
        (encode.string("statusDescription"), encode.string(description)),
    ]
    reply(encode.mapping(properties + (more or [])), body)


def _body(key: str, value: bytes) -> bytes:
    return encode.mapping([(encode.string(key), value)])


def _field(body: Body, key: str, kind: type[_T]) -> _T:
    value = body.get(key)
    if not isinstance(value, kind):
        raise AmqpError(ARGUMENT_ERROR, f"{key} must be of type {kind.__name__}")
    return value


def _items(body: Body, key: str, kind: type[_T]) -> list[_T]:
    values = _field(body, key, list)
    if not all(isinstance(value, kind) for value in values):
        raise AmqpError(ARGUMENT_ERROR, f"{key} must hold values of type {kind.__name__}")
    return values


def _tokens(body: Body) -> list[bytes]:
    return [token.bytes_le for token in _items(body, "lock-tokens", UUID)]
