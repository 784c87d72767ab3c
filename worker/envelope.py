"""What a message says beside its body, and what both say together: JSON, or a CloudEvent in binary mode."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from worker.faults import JobRejected
from worker.strict_json import parse_json

if TYPE_CHECKING:
    from collections.abc import Mapping

_STRUCTURED = "application/cloudevents"
_FORMATS = {"application/cloudevents", "application/cloudevents+json", "application/cloudevents-batch+json"}
_BODY = {"data", "data_base64", "datacontenttype"}  # what is no attribute of its own in binary mode


@dataclass(frozen=True)
class Envelope:
    """What a message says of its content beside the body.

    Attributes:
        content_type: as sent.
        attributes: those of a CloudEvent in binary mode, without their prefix; any values.
    """

    content_type: str | None = None
    attributes: Mapping[str, object] = field(default_factory=dict)


PLAIN = Envelope()


def document_of(body: bytes | None, envelope: Envelope = PLAIN) -> Any:  # noqa: ANN401 - JSON is what it is
    """What a message says, decoded; an event in binary mode becomes what it is in structured mode.

    Raises:
        JobRejected: ``invalid_json``, ``invalid_event`` or ``unsupported_event``.
    """
    if body is None:
        raise JobRejected("invalid_json", "the message's body is not data but an AMQP value or sequence")
    kind = _media_type(envelope.content_type)
    if kind.startswith(_STRUCTURED):
        if kind not in _FORMATS:
            raise JobRejected("unsupported_event", f"events are read as JSON, not as {kind:.100}")
    elif envelope.attributes:
        return _structured(body, envelope)
    return parse_json(body)


def _structured(body: bytes, envelope: Envelope) -> dict[str, Any]:
    attributes = {name: _value(name, value) for name, value in envelope.attributes.items()}
    for name in attributes:
        if name in _BODY or not re.fullmatch("[a-z0-9]+", name):
            raise JobRejected("invalid_event", "is no name of an attribute", f"cloudEvents:{name:.100}")
    kind = {"datacontenttype": envelope.content_type} if envelope.content_type else {}
    return {**attributes, **kind, **_data(body, _media_type(envelope.content_type))}


def _data(body: bytes, kind: str) -> dict[str, Any]:
    if not body:
        return {}
    if not kind or kind.endswith(("/json", "+json")):
        try:
            return {"data": parse_json(body, "event's data")}
        except JobRejected as rejection:
            if kind:
                raise JobRejected("invalid_event", rejection.message, "data") from None
    try:
        return {"data": body.decode()}
    except UnicodeDecodeError:
        return {"data_base64": base64.b64encode(body).decode()}


def _value(name: str, value: object) -> str | int | float | bool:
    """An attribute as JSON has it; AMQP has times, which the client gives as milliseconds, and bytes."""
    if name == "time" and type(value) is int:
        try:
            return datetime.fromtimestamp(value / 1000, UTC).isoformat().replace("+00:00", "Z")
        except (ValueError, OverflowError, OSError):
            return value
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value if isinstance(value, str | int | float | bool) else str(value)


def _media_type(content_type: str | None) -> str:
    return (content_type or "").partition(";")[0].strip().lower()
