"""What the workers' logs tell."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

NO_EVENT = "output that is no log event"
_EXPECTED = {
    "breaker_opened",  # what it is for
    "clock_skewed",  # an error of this machine, and one of the faults
    "Handler cleanup did not complete; preserving the original error.",  # the SDK's, of a broken connection
}


def events(logs: Iterable[Path]) -> Iterator[dict[str, Any]]:
    """The events of logs, and that there was another line. The last one of a killed worker may be cut."""
    for log in logs:
        *lines, _cut = log.read_text(errors="replace").split("\n")
        yield from (_event(line) for line in lines)


def complaints(found: Iterable[dict[str, Any]]) -> Counter[str]:
    """Errors that no fault excuses, by event."""
    return Counter(
        event["event"]
        for event in found
        if ("exception" in event or event.get("level") in {"error", "critical"})
        and event["event"] not in _EXPECTED
    )


def redeliveries(found: Iterable[dict[str, Any]]) -> int:
    """How many deliveries after a message's first one the logs speak of."""
    return len(
        {
            (event["sequence_number"], event["delivery_count"])
            for event in found
            if event.get("delivery_count", 0) > 0
        }
    )


def _event(line: str) -> dict[str, Any]:
    try:
        event = json.loads(line)
    except ValueError:
        event = None
    return event if isinstance(event, dict) and "event" in event else {"event": NO_EVENT, "level": "error"}
