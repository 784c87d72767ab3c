"""What messages say beside their bodies; the SDK gives it as bytes, and not all bytes are text."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING

from worker.envelope import PLAIN, Envelope

if TYPE_CHECKING:
    from azure.servicebus import ServiceBusReceivedMessage

_ATTRIBUTE = re.compile(r"cloudEvents[:_]")


def properties_of(message: ServiceBusReceivedMessage) -> dict[str, str]:
    """The properties that are text."""
    texts: dict[str, str] = {}
    for name, value in (message.application_properties or {}).items():
        with suppress(UnicodeDecodeError):
            if isinstance(value, bytes | str) and isinstance(name, bytes | str):
                texts[_decoded(name)] = _decoded(value)
    return texts


def _decoded(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value


def envelope_of(message: ServiceBusReceivedMessage) -> Envelope:
    """What it says beside the body; the attributes of an event have one of two prefixes."""
    attributes = {}
    for name, value in (message.application_properties or {}).items():
        text = name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name)
        if prefixed := _ATTRIBUTE.match(text):
            attributes[text[prefixed.end() :]] = value
    return Envelope(message.content_type, attributes) if attributes or message.content_type else PLAIN
