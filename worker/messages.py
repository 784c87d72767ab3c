"""Messages as the Service Bus client has them, and as the core has them."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from azure.servicebus import ServiceBusMessage
from azure.servicebus._pyamqp.types import TYPE, VALUE, AMQPTypes
from azure.servicebus.amqp import AmqpMessageBodyType

from worker.clock import now
from worker.delivery import Delivery
from worker.message_properties import envelope_of, properties_of
from worker.settlement import History

if TYPE_CHECKING:
    from collections.abc import Mapping

    from azure.servicebus import ServiceBusReceivedMessage

    from worker.settlement import Retry
    from worker.watchdog import QueueWatch

Property = int | float | bytes | bool | str | UUID
_HISTORY = "jsworker-history"
_NOT_COPIED = frozenset({b"DeadLetterReason", b"DeadLetterErrorDescription", _HISTORY.encode()})
_ETAG = re.compile(r'"[!#-~]{1,100}"')
_MOST = 1 << 53
_LONG_FROM, _ULONG_FROM = 1 << 31, 1 << 63
_OWN_SUFFIX = re.compile(r"\.r\d+-\d+$")
_FAR = datetime.max.replace(tzinfo=UTC)
SHORT_LOCK_SECONDS = 20.0
SHORT_LIFE = timedelta(hours=1)


@dataclass(frozen=True)
class Outgoing:
    """A message to send: ``message_id`` is what duplicate detection goes by.

    It becomes visible at once, after a delay, or at a time.
    """

    body: bytes
    message_id: str
    properties: Mapping[str, Property] = field(default_factory=dict)
    delay_seconds: float = 0
    content_type: str = "application/json"
    subject: str | None = None
    visible_at: datetime | None = None


def with_history(message: Outgoing, history: History) -> Outgoing:
    """A message of our own for a job that has been through something already."""
    return replace(message, properties={**message.properties, _HISTORY: json.dumps(asdict(history))})


def delivery_of(message: ServiceBusReceivedMessage, watch: QueueWatch) -> Delivery:
    """What the core needs of a message; warns of what it shows to be wrong with the queue's rules."""
    received = datetime.now(UTC)
    lock_seconds = watch.locks.seconds(message.locked_until_utc, message.enqueued_time_utc, received)
    unjudged(message)
    history = history_of(message)
    enqueued_ms = history.first_enqueued_ms
    _judge_queue(message, lock_seconds, history, watch)
    return Delivery(
        body=body_of(message),
        message_id=str(message.message_id),
        sequence_number=message.sequence_number or 0,
        delivery_count=message.delivery_count or 0,
        history=history,
        queued_ms=max(0.0, received.timestamp() * 1000 - enqueued_ms) if enqueued_ms else None,
        lock_seconds=lock_seconds,
        received_at=now(),
        properties=properties_of(message),
        envelope=envelope_of(message),
        handle=message,
        queue=watch.queue,
    )


def unjudged(message: ServiceBusReceivedMessage) -> None:
    """Keep the SDK from judging the message's lock by this machine's wall clock; also after each renewal.

    It refuses to settle, before it asks the service, when ``locked_until_utc`` is past. There is no public
    way to tell it otherwise; the SDK is pinned, and a test settles with a skewed clock.
    """
    message._expiry = _FAR  # noqa: SLF001 - see above


def _judge_queue(
    message: ServiceBusReceivedMessage, lock_seconds: float, history: History, watch: QueueWatch
) -> None:
    if lock_seconds < SHORT_LOCK_SECONDS - 1:  # a second may have passed since the lock was acquired
        watch.warn_once(
            "lock_short", lock_seconds=round(lock_seconds, 1), remedy="set the queue's lock duration to 60 s"
        )
    life = message.time_to_live
    if life is not None and life < SHORT_LIFE and not history.copies:  # copies have what was left
        watch.warn_once(
            "time_to_live_short",
            seconds=life.total_seconds(),
            remedy="let messages live for as long as a batch may take; those that expire are not run",
        )


def message_of(delivery: Delivery) -> ServiceBusReceivedMessage:
    """The client's message of a delivery."""
    message: ServiceBusReceivedMessage = delivery.handle  # type: ignore[assignment] # what delivery_of put there
    return message


def body_of(message: ServiceBusReceivedMessage) -> bytes | None:
    """The body; None when it is of another kind than data."""
    if message.body_type is not AmqpMessageBodyType.DATA:
        return None
    return b"".join(message.body)


def history_of(message: ServiceBusReceivedMessage) -> History:
    """What a copy carries; a property that somebody else made up counts for nothing."""
    raw = (message.application_properties or {}).get(_HISTORY.encode())
    enqueued = message.enqueued_time_utc
    first = int(enqueued.timestamp() * 1000) if enqueued else None
    origin = message.sequence_number or 0
    try:
        fields = json.loads(raw)  # type: ignore[arg-type] # anything else is a TypeError
        return History(
            attempts=_counted(fields["attempts"]),
            copies=_counted(fields["copies"]),
            reasons=tuple(_text(reason) for reason in fields["reasons"]),
            first_enqueued_ms=_counted(fields["first_enqueued_ms"]),
            setbacks=_counted(fields.get("setbacks", 0)),
            origin=_counted(fields.get("origin") or origin),
            replaces=_etag(fields.get("replaces")),
            yields=_counted(fields.get("yields", 0)),
        )
    except (TypeError, ValueError, KeyError, AttributeError, RecursionError):
        return History(first_enqueued_ms=first, origin=origin)


def _text(value: object) -> str:
    """Text that can be written into a result: lone surrogates cannot."""
    return str(value).encode("utf-8", "replace").decode()


def _etag(value: object) -> str | None:
    """One ETag and no more: ``*`` would let its sender replace whatever result there is."""
    if value is not None and not (isinstance(value, str) and _ETAG.fullmatch(value)):
        raise ValueError("not an ETag that this worker has written")
    return value


def _counted(value: object) -> int:
    if not isinstance(value, int) or not 0 <= value < _MOST:
        raise ValueError("not a number that this worker has written")
    return value


def copy_of(message: ServiceBusReceivedMessage, delivery: Delivery, retry: Retry) -> ServiceBusMessage:
    """The message again, later, under an id of its own: duplicate detection would swallow the same id.

    The sequence number keeps apart the copies of messages that were sent under one id, or under none.
    """
    base = _OWN_SUFFIX.sub("", delivery.message_id)
    return ServiceBusMessage(
        delivery.body or b"",
        message_id=f"{base[:80]}.r{retry.history.copies}-{delivery.sequence_number}",
        application_properties=_properties(message, retry.history),
        correlation_id=message.correlation_id,
        content_type=message.content_type,
        subject=message.subject,
        time_to_live=_time_left(message, retry.delay),
        scheduled_enqueue_time_utc=_later(retry.delay),
    )


def _properties(message: ServiceBusReceivedMessage, history: History) -> dict[str | bytes, Any]:
    """The sender's properties, those that the SDK can send, and the history."""
    kept = {
        name: _sendable(value)
        for name, value in (message.application_properties or {}).items()
        if name not in _NOT_COPIED and _is_text(value)
    }
    return {**kept, _HISTORY: json.dumps(asdict(history))}


def _time_left(message: ServiceBusReceivedMessage, delay_seconds: float) -> timedelta | None:
    """What a copy may live once it is visible: the rest of the original's time, at least a second."""
    if message.time_to_live is None or message.expires_at_utc is None:
        return message.time_to_live
    left = message.expires_at_utc - datetime.now(UTC) - timedelta(seconds=delay_seconds)
    return max(left, timedelta(seconds=1))


def again(message: ServiceBusReceivedMessage, message_id: str, history: History) -> ServiceBusMessage:
    """A dead letter's message for the queue it came from, without the marks of its death.

    It gets its full time to live: its own, or the queue's when it is a copy whose time was cut.
    """
    return ServiceBusMessage(
        body_of(message) or b"",
        message_id=message_id,
        application_properties=_properties(message, history),
        correlation_id=message.correlation_id,
        content_type=message.content_type,
        subject=message.subject,
        time_to_live=None if history_of(message).copies else message.time_to_live,
    )


def _sendable(value: Property) -> Any:  # noqa: ANN401 - a property, or the SDK's own form of one
    """A value with its AMQP type where the SDK would take a wrong one.

    It sends each integer as one of 32 bits and refuses those that are longer, as a long or a time of AMQP is
    when it comes. There is no public way to name the type; the SDK is pinned, and a test sends them.
    """
    if not isinstance(value, int) or -_LONG_FROM <= value < _LONG_FROM:
        return value
    return {TYPE: AMQPTypes.long if value < _ULONG_FROM else AMQPTypes.ulong, VALUE: value}


def _is_text(value: Property) -> bool:
    """False for bytes that the SDK refuses to send: it takes all bytes for UTF-8."""
    try:
        return not isinstance(value, bytes) or value.decode() is not None
    except UnicodeDecodeError:
        return False


def encoded(message: Outgoing) -> ServiceBusMessage:
    """A message of our own as the client wants it."""
    return ServiceBusMessage(
        message.body,
        message_id=message.message_id,
        content_type=message.content_type,
        subject=message.subject,
        application_properties=dict[str | bytes, Property](message.properties.items()),
        scheduled_enqueue_time_utc=message.visible_at or _later(message.delay_seconds),
    )


def _later(seconds: float) -> datetime | None:
    """When a message is to become visible; None for at once, which spares the service the scheduling."""
    return datetime.now(UTC) + timedelta(seconds=seconds) if seconds else None
