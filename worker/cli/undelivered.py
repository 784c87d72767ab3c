"""How events that were given up are chosen and shown. All of them is untrusted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from worker.cli.letters import row
from worker.faults import JobRejected
from worker.report import printable
from worker.webhook_url import normalised_host, target_of
from worker.webhooks import EVENT_PROPERTY, URL_PROPERTY

if TYPE_CHECKING:
    from worker.seen import Seen

HEADINGS = f"{'SEQUENCE':>10}  {'ENQUEUED':<20}  {'HOST':<30}  {'EVENT':<36}  REASON"
NOTHING = "-"


@dataclass(frozen=True)
class WantedEvents:
    """Which are meant; what is None does not matter."""

    host: str | None = None
    event_id: str | None = None

    def takes(self, letter: Seen) -> bool:
        """Whether a letter is meant."""
        return self.event_id in {None, event_of(letter)} and self._host() in {None, host_of(letter)}

    def _host(self) -> str | None:
        """In the form that is compared; what is no host matches none."""
        try:
            return normalised_host(self.host) if self.host is not None else None
        except ValueError:
            return self.host


def event_of(letter: Seen) -> str:
    """The id of its event."""
    return letter.properties.get(EVENT_PROPERTY, NOTHING)


def host_of(letter: Seen) -> str:
    """The host of its webhook. The rest of a URL may be a secret, and is not for everybody's terminal."""
    try:
        return target_of(letter.properties.get(URL_PROPERTY, "")).host
    except JobRejected:
        return NOTHING


def line(letter: Seen) -> str:
    """One event at a glance."""
    return row(letter, f"{host_of(letter):<30}", f"{printable(event_of(letter)):<36}")


def document(letter: Seen) -> dict[str, Any]:
    """An event for programs."""
    return {
        "sequence_number": letter.sequence_number,
        "message_id": letter.message_id,
        "event_id": letter.properties.get(EVENT_PROPERTY),
        "url": letter.properties.get(URL_PROPERTY),
        "reason": letter.reason,
        "description": letter.description,
        "enqueued_at": letter.enqueued_at.isoformat() if letter.enqueued_at else None,
        "reasons": letter.history.reasons,
        "body": letter.body.decode("utf-8", "replace") if letter.body is not None else None,
    }
