"""An event on its way to one webhook, as a message of the queue of webhooks."""

from __future__ import annotations

import hashlib

from worker.faults import JobRejected
from worker.messages import Outgoing
from worker.webhooks import EVENT_PROPERTY, URL_PROPERTY, is_event_id

MAX_MESSAGE_ID_CHARS = 128
_DIGEST_CHARS = 12


def webhook_message(url: str, event_id: str, body: bytes) -> Outgoing:
    """The message that brings an event to a webhook; the same event and URL make the same message id.

    Args:
        url: one that ``worker.webhook_url.check_url`` takes.
        event_id: of the event, 1 to 256 visible ASCII characters; what receivers know repetitions by.
        body: the event as JSON document, posted as it is.

    Raises:
        JobRejected: ``invalid_webhook``, the id cannot stand in a header.
    """
    if not is_event_id(event_id):
        raise JobRejected("invalid_webhook", "an event's id has 1 to 256 visible ASCII characters", "id")
    return Outgoing(
        body=body,
        message_id=f"{_short(event_id)}:{_digest(url)[:_DIGEST_CHARS]}",
        properties={URL_PROPERTY: url, EVENT_PROPERTY: event_id},
    )


def _short(event_id: str) -> str:
    """An id that leaves room for the rest of the message's."""
    fits = len(event_id) < MAX_MESSAGE_ID_CHARS - _DIGEST_CHARS
    return event_id if fits else _digest(event_id)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
