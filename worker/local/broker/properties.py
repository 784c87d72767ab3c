"""What filters see of a message: its system properties and those of its sender."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from worker.local.broker.codec import DecodeError, decode, read_list
from worker.local.broker.message import APPLICATION_PROPERTIES, PROPERTIES, sections

_FIELDS: Final = {
    "messageid": 0,
    "to": 2,
    "label": 3,
    "subject": 3,
    "replyto": 4,
    "correlationid": 5,
    "contenttype": 6,
    "sessionid": 10,
    "replytosessionid": 12,
}
SYSTEM_PROPERTIES: Final = frozenset(_FIELDS)


@dataclass(frozen=True, slots=True)
class Properties:
    """Values by the names of the properties in lower case. System properties that are not set are absent."""

    system: Mapping[str, object]
    user: Mapping[str, object]


def read_properties(bare: bytes) -> Properties:
    """Read the properties of a bare message.

    Raises:
        DecodeError: they are malformed.
    """
    fields: list[object] = []
    sent: object = {}
    for code, start, _ in sections(bare):
        if code == PROPERTIES:
            fields, _ = read_list(bare, start)
        elif code == APPLICATION_PROPERTIES:
            sent, _ = decode(bare, start)
    if not isinstance(sent, dict):
        raise DecodeError("the application properties are no map")
    system = {
        name: _readable(fields[at]) for name, at in _FIELDS.items() if fields[at : at + 1] not in ([], [None])
    }
    user = {key.lower(): _readable(value) for key, value in sent.items() if isinstance(key, str)}
    return Properties(system, user)


def _readable(value: object) -> object:
    """Ids may be UUIDs, which people write as text."""
    return str(value) if isinstance(value, UUID) else value
