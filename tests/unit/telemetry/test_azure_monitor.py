"""What reaches Application Insights, and that nothing else is sent or left running."""

from __future__ import annotations

import gzip
import json
import threading
import uuid
from typing import TYPE_CHECKING, Any

from tests.receiver import Says, receiving
from tests.unit.core.world import settings
from worker.telemetry.exporting import _NOT_OURS, open_exports
from worker.telemetry.spans import Span

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.receiver import Posted

SPAN = Span("job", 1, 2, 3, 1_000_000, 2_000_000, {"jsworker.status": "failed"}, consumes=True)
TAKEN = json.dumps({"itemsReceived": 1, "itemsAccepted": 1, "errors": []}).encode()


def items(posted: Posted) -> list[dict[str, Any]]:
    is_packed = posted.headers.get("content-encoding") == "gzip"
    found: list[dict[str, Any]] = json.loads(gzip.decompress(posted.body) if is_packed else posted.body)
    return found


async def test_jobs_are_requests_and_metrics_are_sums_of_what_is_new_and_no_thread_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in _NOT_OURS:
        monkeypatch.setenv(name, "true")  # as the code would, and never take back
    key, before = str(uuid.uuid4()), threading.active_count()
    with receiving(
        tmp_path, "localhost", [Says(200, {"content-type": "application/json"}, TAKEN)]
    ) as receiver:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(receiver.authority))
        monkeypatch.setenv("NO_PROXY", "localhost")
        target = f"InstrumentationKey={key};IngestionEndpoint={receiver.url('localhost', '/')}"
        exports = open_exports(settings(azure_monitor=target), "here")
        exports.meter.create_counter("jsworker.jobs").add(3, {"status": "succeeded"})
        exports.emit(SPAN)
        await exports.close()
    sent = [item for posted in receiver.posted for item in items(posted)]
    assert {(item["iKey"], item["tags"]["ai.cloud.role"]) for item in sent} == {(key, "jsworker")}
    kinds = {item["data"]["baseType"]: item["data"]["baseData"] for item in sent}
    assert kinds.keys() == {"RequestData", "MetricData"}
    assert kinds["RequestData"]["properties"]["jsworker.status"] == "failed"
    assert (kinds["RequestData"]["id"], kinds["RequestData"]["success"]) == ("0000000000000002", True)
    assert [(one["name"], one["value"]) for one in kinds["MetricData"]["metrics"]] == [("jsworker.jobs", 3)]
    assert threading.active_count() == before
