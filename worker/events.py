"""Events as messages carry them: CloudEvents 1.x and Event Grid's own schema, one of them or a list.

All of it is untrusted. What looks like an event and cannot be used is refused with the field at fault; what
does not look like one is left to be a job.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from worker.faults import JobRejected
from worker.names import check_blob

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST_EVENTS = 100
MOST_BYTES = 1 << 20  # of a message with events; Event Grid itself takes no more
MOST_CHARACTERS = 2048  # of an attribute; a blob's name alone may have 1024
MOST_DEPTH = 1 << 31  # of what its field may say; CloudEvents has integers of 32 bits
DEPTH = "jsworkerdepth"
_CLOUD = frozenset({"specversion", "cloudEventsVersion"})
_MARKS = _CLOUD | {"eventType"}
_REQUIRED = ("id", "source", "type")
_OPTIONAL = ("subject", "time", "datacontenttype", "dataschema", "traceparent")
# Its own names of the attributes, in the order they are checked; only the topic may be missing.
_EVENT_GRID: Final = {"id": "id", "eventType": "type", "subject": "subject", "eventTime": "time"}
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_TIME = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)  # RFC 3339; Event Grid writes seven digits of a second
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_SUBJECT = re.compile(r"/?blobServices/default/containers/([^/]+)/blobs/(.+)", re.DOTALL)


@dataclass(frozen=True)
class Event:
    """One event.

    Attributes:
        source: of an event in Event Grid's schema its topic, or nothing.
        time: as written, by RFC 3339.
        data: any JSON; None when it has none, or bytes.
        document: the event as CloudEvents has it, whichever way it came.
        depth: how many jobs and events came before it in its chain, by its own word.
        traceparent: of its trace, by W3C; None when it has none that is well-formed.
    """

    id: str
    source: str
    type: str
    subject: str | None
    time: str | None
    data: Any
    document: Mapping[str, Any]
    depth: int = 0
    traceparent: str | None = None

    @property
    def container(self) -> str | None:
        """The container that an event of Blob storage is about."""
        found = self._blob
        return found[0] if found else None

    @property
    def blob(self) -> str | None:
        """The ``container/name`` that an event of Blob storage is about, if jobs can name it.

        It is the subject that says so: the URL in the data could lead anywhere.
        """
        try:
            return check_blob("/".join(self._blob)) if self._blob else None
        except ValueError:
            return None

    @property
    def _blob(self) -> tuple[str, str] | None:
        subject = _SUBJECT.fullmatch(self.subject or "")
        if subject is None or not self.type.startswith("Microsoft.Storage.Blob"):
            return None
        return subject[1], subject[2]


def is_event(document: object) -> bool:
    """Whether a message's document is meant as an event, or a list of them; it may be unusable."""
    if isinstance(document, list):
        inner = (part for item in document if isinstance(item, list) for part in item)
        return any(map(_is_marked, document)) or any(map(_is_marked, inner))
    return _is_marked(document)


def depth_in(document: object) -> int:
    """How many jobs and events came before the deepest event of a document, be they usable or not."""
    items = document if isinstance(document, list) else [document]
    depths = [item.get(DEPTH) for item in items if isinstance(item, dict)]
    return max((depth for depth in depths if type(depth) is int and depth >= 0), default=0)


def events_in(document: object, size: int) -> tuple[Event, ...]:
    """The events of a document that ``is_event``; ``size`` is that of the message, in bytes.

    Raises:
        JobRejected: ``invalid_event`` or ``unsupported_event``, with the field at fault; one bad event is
            one too many, since a message is settled as a whole.
    """
    if size > MOST_BYTES:
        raise JobRejected("invalid_event", f"the message has {size} bytes; {MOST_BYTES} are taken of events")
    if not isinstance(document, list):
        return (_event(document, ""),)
    if len(document) > MOST_EVENTS:
        raise JobRejected("invalid_event", f"the list has {len(document)} events; {MOST_EVENTS} are taken")
    return tuple(_event(item, f"{index}.") for index, item in enumerate(document))


def _is_marked(value: object) -> bool:
    if not isinstance(value, dict):
        return False
    return not _MARKS.isdisjoint(value) or ({"source", "type"} <= value.keys() and "code" not in value)


def _event(value: object, at: str) -> Event:
    if not isinstance(value, dict) or not _is_marked(value):
        message = "this is no event, and a list has nothing but events"
        raise JobRejected("invalid_event", message, at.rstrip(".") or None)
    is_cloud_event = "eventType" not in value or not _CLOUD.isdisjoint(value)
    fields = _checked(value, at) if is_cloud_event else _as_cloud_event(value, at)
    trace = fields.get("traceparent") or ""
    return Event(
        id=fields["id"],
        source=fields["source"],
        type=fields["type"],
        subject=fields.get("subject"),
        time=fields.get("time"),
        data=fields.get("data"),
        document=fields,
        depth=_depth(fields.get(DEPTH), at),
        traceparent=trace if _TRACEPARENT.fullmatch(trace) else None,
    )


def _checked(fields: dict[str, Any], at: str) -> dict[str, Any]:
    """A CloudEvent without the attributes that are null."""
    version = fields.get("specversion")
    if "cloudEventsVersion" in fields or (version is not None and not _is_known(version)):
        known = "CloudEvents of version 1.x are known"
        raise JobRejected("unsupported_event", f"{known}, not {version!r:.40}", f"{at}specversion")
    for name in ("specversion", *_REQUIRED):
        _check_text(fields.get(name), f"{at}{name}")
    for name in _OPTIONAL:
        if fields.get(name) is not None:
            _check_text(fields[name], f"{at}{name}")
    _check_time(fields.get("time"), f"{at}time")
    _check_data(fields, at)
    for name, value in fields.items():
        if name not in {"data", "data_base64"} and isinstance(value, dict | list):
            raise JobRejected(
                "invalid_event", "an attribute is text, a number or a truth value", f"{at}{name:.100}"
            )
    return {name: value for name, value in fields.items() if value is not None or name == "data"}


def _as_cloud_event(fields: dict[str, Any], at: str) -> dict[str, Any]:
    """An event in Event Grid's schema, as CloudEvents has it."""
    for name in _EVENT_GRID:
        may_be_empty = name == "subject"
        _check_text(fields.get(name), f"{at}{name}", least=0 if may_be_empty else 1)
    _check_time(fields["eventTime"], f"{at}eventTime")
    for name in ("topic", "dataVersion"):
        if fields.get(name) is not None:
            _check_text(fields[name], f"{at}{name}", least=0)
    taken = {ours: fields[theirs] for theirs, ours in _EVENT_GRID.items()}
    version = {"dataversion": fields["dataVersion"]} if fields.get("dataVersion") else {}
    data = {"data": fields["data"]} if "data" in fields else {}
    return {"specversion": "1.0", "source": fields.get("topic") or "", **taken, **version, **data}


def _is_known(version: object) -> bool:
    return isinstance(version, str) and re.fullmatch(r"1\.\d{1,3}", version, re.ASCII) is not None


def _check_text(value: object, field_name: str, least: int = 1) -> None:
    if value is None:
        raise JobRejected("invalid_event", "is missing", field_name)
    if not isinstance(value, str):
        raise JobRejected("invalid_event", "is not text", field_name)
    if not least <= len(value) <= MOST_CHARACTERS:
        wrong = "is empty" if not value else f"has over {MOST_CHARACTERS} characters"
        raise JobRejected("invalid_event", wrong, field_name)
    if _CONTROL.search(value):
        raise JobRejected("invalid_event", "has control characters", field_name)


def _check_time(time: str | None, field_name: str) -> None:
    if time is not None and not _TIME.fullmatch(time):
        raise JobRejected("invalid_event", "is no time as of RFC 3339", field_name)


def _check_data(fields: Mapping[str, Any], at: str) -> None:
    encoded = fields.get("data_base64")
    if encoded is None:
        return
    if fields.get("data") is not None:
        raise JobRejected(
            "invalid_event", "stands beside data, which it takes the place of", f"{at}data_base64"
        )
    try:
        base64.b64decode(encoded, validate=True)
    except (TypeError, ValueError, binascii.Error):
        raise JobRejected("invalid_event", "is not Base64", f"{at}data_base64") from None


def _depth(value: object, at: str) -> int:
    """In binary mode numbers may come as text."""
    number = int(value) if isinstance(value, str) and re.fullmatch(r"\d{1,10}", value, re.ASCII) else value
    if number is None:
        return 0
    if type(number) is not int or not 0 <= number < MOST_DEPTH:
        raise JobRejected("invalid_event", "is no count", f"{at}{DEPTH}")
    return number
