"""Telemetry opens by the settings, fails with what to do, and never keeps a worker from ending."""

from __future__ import annotations

import sys
import threading
import uuid
from typing import TYPE_CHECKING

import pytest
import structlog
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from prometheus_client.parser import text_string_to_metric_families

from tests.unit.core.world import settings
from worker.gauges import LiveParts
from worker.permits import Permits
from worker.settings import SettingsError, WorkerSettings, load
from worker.telemetry.exporting import Exports
from worker.telemetry.opening import open_telemetry
from worker.telemetry.spans import Span
from worker.vitals import Vitals

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.sdk.trace import ReadableSpan

SPAN = Span("job", 1, 2, 3, 1_000, 2_000, {"jsworker.job": "j1"}, failed=True, consumes=True)
REQUIRED = {
    "JSWORKER_POOL_ENDPOINT": "https://pool.example",
    "JSWORKER_MAX_SESSIONS": "1",
    "JSWORKER_SERVICEBUS_NAMESPACE": "n.servicebus.windows.net",
    "JSWORKER_STORAGE_ACCOUNT_URL": "https://n.blob.core.windows.net",
}


def live() -> LiveParts:
    return LiveParts(Vitals(), Permits(3))


async def test_without_a_setting_nothing_is_measured_and_nothing_goes_on() -> None:
    async with open_telemetry(settings(), live()) as telemetry:
        assert (telemetry.observers, telemetry.page, telemetry.duties({})) == ((), None, [])


async def test_the_page_for_prometheus_can_be_parsed_and_says_who_it_is_of() -> None:
    asked = settings(metrics=True, health_port=0, instance="here")
    async with open_telemetry(asked, live()) as telemetry:
        assert telemetry.page
        for observer in telemetry.observers:
            observer.called("pool", "execute", "ok", 0.3)
        text = telemetry.page().decode()
    families = {family.name: family for family in text_string_to_metric_families(text)}
    assert families["jsworker_ready"].samples[0].value == 0
    assert families["jsworker_calls"].samples[0].value == 1
    buckets = {
        sample.labels["le"]: sample.value
        for sample in families["jsworker_call_duration_seconds"].samples
        if sample.name.endswith("_bucket")
    }
    assert (buckets["0.25"], buckets["0.5"], buckets["+Inf"]) == (0, 1, 1)
    assert families["target_info"].samples[0].labels["service_instance_id"] == "here"


async def test_what_is_not_installed_is_named_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(sys.modules, "worker.telemetry.exporting")
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.prometheus", None)
    told = r"JSWORKER_METRICS: .*pip install 'jsworker\[telemetry\]'"
    with pytest.raises(SettingsError, match=told):
        async with open_telemetry(settings(metrics=True, health_port=0), live()):
            pass


async def test_a_connection_string_that_is_none_is_refused_and_not_shown() -> None:
    with pytest.raises(SettingsError, match="JSWORKER_AZURE_MONITOR") as refused:
        async with open_telemetry(settings(azure_monitor="InstrumentationKey=canary"), live()):
            pass
    assert "canary" not in str(refused.value)


def test_a_connection_string_is_in_no_text_of_the_settings() -> None:
    key = str(uuid.uuid4())
    asked = settings(azure_monitor=f"InstrumentationKey={key}")
    assert key not in repr(asked) + asked.model_dump_json()


def test_metrics_without_a_port_and_a_ratio_above_one_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (REQUIRED | {"JSWORKER_METRICS": "true"}).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=r"JSWORKER_METRICS: .* set JSWORKER_HEALTH_PORT too"):
        load(WorkerSettings)
    monkeypatch.setenv("JSWORKER_TRACE_RATIO", "1.5")
    with pytest.raises(SettingsError, match=r"JSWORKER_TRACE_RATIO: .*less than or equal to 1"):
        load(WorkerSettings)


class Kept(SpanExporter):
    """Keeps spans; hangs for as long as it is told to."""

    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []
        self.may_go_on = threading.Event()
        self.may_go_on.set()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.may_go_on.wait(30)
        self.spans += spans
        return SpanExportResult.SUCCESS


async def test_spans_that_are_left_are_sent_at_the_end_as_they_were_made() -> None:
    kept = Kept()
    exports = Exports("here", [], [kept])
    exports.emit(SPAN)
    await exports.close()
    (span,) = kept.spans
    assert span.context
    assert span.parent
    assert (span.context.trace_id, span.context.span_id, span.parent.span_id) == (1, 2, 3)
    assert (span.name, span.start_time, span.end_time) == ("job", 1_000, 2_000)
    assert (span.kind.name, span.status.status_code.name) == ("CONSUMER", "ERROR")
    assert span.resource.attributes["service.name"] == "jsworker"


async def test_an_exporter_that_hangs_keeps_a_worker_from_ending_no_longer_than_the_bound() -> None:
    kept = Kept()
    exports = Exports("here", [], [kept])
    kept.may_go_on.clear()
    exports.emit(SPAN)
    with structlog.testing.capture_logs() as events:
        await exports.close(within_seconds=0.05)
    assert [event["event"] for event in events] == ["telemetry_cut_off"]
    assert kept.spans == []
    kept.may_go_on.set()
