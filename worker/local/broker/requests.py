"""Requests to `<entity>/$management`: messages, each answered by one."""

from collections.abc import Callable, Mapping
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
from worker.local.broker.values import LockLostError, MessageNotFoundError

_OK, _NO_CONTENT, _BAD_REQUEST, _NOT_FOUND, _GONE = 200, 204, 400, 404, 410
_NOT_IMPLEMENTED, _BUSY = 501, 503
_VENDOR = "com.microsoft:"
_T = TypeVar("_T")

Body = dict[object, object]
Reply = Callable[[bytes, bytes], None]
Operation = Callable[[Body, Reply], None]


def serve(operations: Mapping[str, Operation], operation: object, body: object, reply: Reply) -> None:
    """Do what was asked for; the answer, encoded properties and body, follows when it is durable."""
    perform = operations.get(str(operation).removeprefix(_VENDOR))
    if perform is None:
        unknown = AmqpError(NOT_IMPLEMENTED, f"there is no operation {operation}")
        _fail(reply, _NOT_IMPLEMENTED, unknown)
        return
    try:
        perform(body if isinstance(body, dict) else {}, reply)
    except LockLostError:
        _fail(reply, _GONE, AmqpError(MESSAGE_LOCK_LOST, LOCK_LOST_TEXT))
    except MessageNotFoundError as error:
        text = f"There is no message with sequence number {error} in the state this needs."
        _fail(reply, _NOT_FOUND, AmqpError(MESSAGE_NOT_FOUND, text))
    except DecodeError as error:
        _fail(reply, _BAD_REQUEST, AmqpError(ARGUMENT_ERROR, str(error)))
    except AmqpError as error:
        _fail(reply, _BUSY if error.condition == SERVER_BUSY else _BAD_REQUEST, error)


def answer_ok(reply: Reply, body: bytes) -> None:
    """Answer that it was done."""
    _answer(reply, _OK, "OK", body)


def answer_nothing(reply: Reply) -> None:
    """Answer that there is nothing to be told."""
    _answer(reply, _NO_CONTENT, "No Content", encode.EMPTY_MAP)


def mapping(key: str, value: bytes) -> bytes:
    """Encode a body of one entry, whose value is encoded."""
    return encode.mapping([(encode.string(key), value)])


def field(body: Body, key: str, kind: type[_T]) -> _T:
    """Return a field of a request; raises `AmqpError` when it is of another type."""
    value = body.get(key)
    if not isinstance(value, kind):
        raise AmqpError(ARGUMENT_ERROR, f"{key} must be of type {kind.__name__}")
    return value


def items(body: Body, key: str, kind: type[_T]) -> list[_T]:
    """Return a list or array of a request; raises `AmqpError` when something in it is of another type."""
    values = field(body, key, list)
    if not all(isinstance(value, kind) for value in values):
        raise AmqpError(ARGUMENT_ERROR, f"{key} must hold values of type {kind.__name__}")
    return values


def tokens(body: Body) -> list[bytes]:
    """Return the lock tokens of a request as they are on the wire."""
    return [token.bytes_le for token in items(body, "lock-tokens", UUID)]


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
