"""Event Grid's documented samples of an uploaded blob, in both schemas, and events of our own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

SAMPLES = {
    "CloudEvents": Path(__file__).parent / "blob_created_cloud_event.json",
    "Event Grid": Path(__file__).parent / "blob_created_event_grid.json",
}


def sample(schema: str, blob: str | None = None) -> list[dict[str, Any]]:
    """The sample as documented, or with another blob in its subject."""
    events: list[dict[str, Any]] = json.loads(SAMPLES[schema].read_text())
    if blob:
        container, _, name = blob.partition("/")
        events[0]["subject"] = f"/blobServices/default/containers/{container}/blobs/{name}"
    return events


def cloud_event(**fields: object) -> dict[str, Any]:
    own = {"specversion": "1.0", "id": "e1", "source": "/orders", "type": "order.placed", "data": {"sum": 7}}
    return {name: value for name, value in (own | fields).items() if value is not ...}


def grid_event(**fields: object) -> dict[str, Any]:
    own = {"id": "g1", "eventType": "order.placed", "subject": "", "eventTime": "2026-01-02T03:04:05Z"}
    return {name: value for name, value in (own | fields).items() if value is not ...}
