"""OpenTelemetry's SDK and exporters; imported only when a setting asks for them.

An exporter has a thread of its own and drops what it cannot send in time: no job ever waits for one.
"""

from __future__ import annotations

import asyncio
import os
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

import structlog
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags
from prometheus_client import CollectorRegistry, generate_latest

from worker.version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from opentelemetry.metrics import Meter
    from opentelemetry.sdk.metrics.export import MetricExporter, MetricReader
    from opentelemetry.sdk.trace.export import SpanExporter

    from worker.setting_groups import TelemetrySettings
    from worker.telemetry.spans import Span

log = structlog.get_logger()
NAME = "jsworker"
FLUSH_SECONDS = 3.0
_SCOPE = InstrumentationScope(NAME, __version__)
_RECORDED = TraceFlags(TraceFlags.SAMPLED)
_NOT_OURS = (  # what the exporter would send besides, of itself and its machine, and to its maker
    "APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL",
    "APPLICATIONINSIGHTS_SDKSTATS_DISABLED",
    "APPLICATIONINSIGHTS_CONTROLPLANE_DISABLED",
    "APPLICATIONINSIGHTS_OPENTELEMETRY_RESOURCE_METRIC_DISABLED",
)


class Exports:
    """Where metrics and spans go, for as long as a worker runs.

    Args:
        instance: of the worker.
        readers: collect the metrics.
        exporters: take spans, in batches.
        registry: what the page for Prometheus is made of.
    """

    def __init__(
        self,
        instance: str,
        readers: Iterable[MetricReader],
        exporters: Iterable[SpanExporter],
        registry: CollectorRegistry | None = None,
    ) -> None:
        own = {"service.name": NAME, "service.version": __version__, "service.instance.id": instance}
        self._resource, self._registry = Resource.create(own), registry
        self._metrics = MeterProvider(tuple(readers), self._resource, shutdown_on_exit=False)
        self._spans = [BatchSpanProcessor(exporter) for exporter in exporters]
        self.is_traced = bool(self._spans)

    @property
    def meter(self) -> Meter:
        """Makes the instruments."""
        return self._metrics.get_meter(NAME, __version__)

    @property
    def page(self) -> Callable[[], bytes] | None:
        """Makes the text that Prometheus reads, as of now; None where none is asked for."""
        registry = self._registry
        return None if registry is None else lambda: generate_latest(registry)

    def emit(self, span: Span) -> None:
        """Take a span, to be sent later."""
        readable = _readable(span, self._resource)
        for processor in self._spans:
            processor.on_end(readable)

    async def close(self, within_seconds: float = FLUSH_SECONDS) -> None:
        """Send what is left, as far as that is done in a few seconds."""
        ending = [self._metrics.shutdown, *(processor.shutdown for processor in self._spans)]
        done = [_in_thread(shutdown) for shutdown in ending]
        try:
            async with asyncio.timeout(within_seconds):
                await asyncio.gather(*(event.wait() for event in done))
        except TimeoutError:
            log.warning("telemetry_cut_off", consequence="what was measured last is not sent")


def open_exports(settings: TelemetrySettings, instance: str) -> Exports:
    """What the settings ask for; nothing is connected to yet.

    Raises:
        ModuleNotFoundError: an exporter is not installed.
        ValueError: the connection string of Azure Monitor is none.
    """
    registry = CollectorRegistry() if settings.metrics else None
    readers: list[MetricReader] = []
    spans: list[SpanExporter] = []
    if registry:
        readers.append(PrometheusMetricReader(scope_info_enabled=False, registry=registry))
    pairs = []
    if settings.otlp_endpoint:
        pairs.append(_otlp(settings.otlp_endpoint))
    if settings.azure_monitor:
        pairs.append(_azure_monitor(settings.azure_monitor.get_secret_value()))
    for metric_exporter, span_exporter in pairs:
        readers.append(PeriodicExportingMetricReader(metric_exporter))
        spans.append(span_exporter)
    return Exports(instance, readers, spans, registry)


def _otlp(url: str) -> tuple[MetricExporter, SpanExporter]:
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import (  # noqa: PLC0415 - seldom needed
        OTLPMetricExporter,
    )
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 - as above

    return OTLPMetricExporter(f"{url}/v1/metrics"), OTLPSpanExporter(f"{url}/v1/traces")


def _azure_monitor(connection_string: str) -> tuple[MetricExporter, SpanExporter]:
    for name in _NOT_OURS:
        os.environ.setdefault(name, "true")
    from azure.monitor.opentelemetry.exporter import (  # noqa: PLC0415 - slow to import, seldom needed
        AzureMonitorMetricExporter,
        AzureMonitorTraceExporter,
    )

    options = {"connection_string": connection_string, "disable_offline_storage": True}
    return AzureMonitorMetricExporter(**options), AzureMonitorTraceExporter(**options)


def _readable(span: Span, resource: Resource) -> ReadableSpan:
    parent = None if span.parent is None else SpanContext(span.trace_id, span.parent, is_remote=span.consumes)
    return ReadableSpan(
        span.name,
        context=SpanContext(span.trace_id, span.span_id, is_remote=False, trace_flags=_RECORDED),
        parent=parent,
        resource=resource,
        attributes=span.attributes,
        kind=SpanKind.CONSUMER if span.consumes else SpanKind.INTERNAL,
        status=Status(StatusCode.ERROR if span.failed else StatusCode.UNSET),
        start_time=span.start,
        end_time=span.end,
        instrumentation_scope=_SCOPE,
    )


def _in_thread(work: Callable[[], None]) -> asyncio.Event:
    """Do something that may hang, in a thread that keeps no process from ending; what is set at its end."""
    loop, done = asyncio.get_running_loop(), asyncio.Event()

    def run() -> None:
        work()
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(done.set)

    threading.Thread(target=run, daemon=True).start()
    return done
