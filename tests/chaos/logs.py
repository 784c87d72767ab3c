"""What the workers' logs tell."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

NO_EVENT = "output that is no log event"
_DEFECTS = {NO_EVENT, "job_failed_unexpectedly", "slot_ended_badly", "task_ended_badly"}
_SDK = "azure."  # it logs broken connections with their tracebacks, and raises them to the worker as well


def events(logs: Iterable[Path]) -> Iterator[dict[str, Any]]:
    """The events of logs, and that there was another line. The last one of a killed worker may be cut."""
    for log in logs:
        *lines, _cut = log.read_text(errors="replace").split("\n")
        yield from (_event(line) for line in lines)


def defects(found: Iterable[dict[str, Any]]) -> Counter[str]:
    """What no fault of a service excuses, by event: failures of the worker's own, and tracebacks."""
    return Counter(
        event["event"]
        for event in found
        if event["event"] in _DEFECTS
        or ("exception" in event and not str(event.get("logger")).startswith(_SDK))
    )


def errors(found: Iterable[dict[str, Any]]) -> Counter[str]:
    """What the workers call an error, by event."""
    return Counter(event["event"] for event in found if event.get("level") in {"error", "critical"})


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
