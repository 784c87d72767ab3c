"""What a worker measures, as Prometheus and a collector of OpenTelemetry's get it."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

import httpx
from azure.servicebus import ServiceBusMessage
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from prometheus_client.parser import text_string_to_metric_families

from tests.receiver import Says, receiving
from tests.system.worker.processes import working
from tests.system.worker.services import Services, eventually, program

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from opentelemetry.proto.trace.v1.trace_pb2 import Span

    from tests.receiver import Receiver

IDS = ("a", "b", "c")
SENDERS = {name: f"00-{number:032x}-{number:016x}-01" for number, name in enumerate(IDS, 1)}
QUEUE = "measured"


def send(services: Services, batch: str) -> None:
    services.send_messages(
        QUEUE,
        [
            ServiceBusMessage(
                json.dumps(program(batch, name, "console.log(1)")),
                message_id=f"{batch}.{name}",
                application_properties={"traceparent": sender},
            )
            for name, sender in SENDERS.items()
        ],
    )


def scraped(port: object) -> dict[str, float]:
    """The samples of a page, by name and labels."""
    text = httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False).raise_for_status().text
    return {
        sample.name
        + "".join(f" {name}={value}" for name, value in sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def spans(receiver: Receiver) -> list[Span]:
    requests = [
        ExportTraceServiceRequest.FromString(one.body)
        for one in receiver.posted
        if one.path == "/otlp/v1/traces"
    ]
    scopes = (scope for request in requests for one in request.resource_spans for scope in one.scope_spans)
    return [span for scope in scopes for span in scope.spans]


def metric_names(receiver: Receiver) -> set[str]:
    requests = [
        ExportMetricsServiceRequest.FromString(one.body)
        for one in receiver.posted
        if one.path == "/otlp/v1/metrics"
    ]
    scopes = (
        scope for request in requests for one in request.resource_metrics for scope in one.scope_metrics
    )
    return {metric.name for scope in scopes for metric in scope.metrics}


def settings(services: Services, receiver: Receiver) -> Mapping[str, str]:
    return {
        **services.environment,
        "JSWORKER_QUEUE": QUEUE,
        "JSWORKER_HEALTH_PORT": "0",
        "JSWORKER_METRICS": "true",
        "JSWORKER_OTLP_ENDPOINT": receiver.url("localhost", "/otlp/"),
        "OTEL_EXPORTER_OTLP_CERTIFICATE": str(receiver.authority),
        "REQUESTS_CA_BUNDLE": str(receiver.authority),  # one that is set already would take precedence
        "NO_PROXY": "localhost",
    }


def test_a_worker_is_scraped_and_sends_one_trace_a_job_which_is_its_senders(
    services: Services, batch: str, tmp_path: Path
) -> None:
    with receiving(tmp_path, "localhost", [Says(200)]) as receiver:
        with working(settings(services, receiver), log := tmp_path / "worker.log") as worker:
            send(services, batch)
            results = services.results(batch, IDS)
            port = eventually(lambda: worker.events("health_served"))[0]["port"]
            eventually(lambda: scraped(port).get("jsworker_settlements_total outcome=completed") == len(IDS))
            page = scraped(port)
            eventually(lambda: f"jsworker_queue_oldest_age_seconds queue={QUEUE}" in scraped(port))
        traces = Counter(span.trace_id.hex() for span in spans(receiver))
        jobs = {span.trace_id.hex(): span for span in spans(receiver) if span.name == "job"}
        sent = metric_names(receiver)

    assert page[f"jsworker_jobs_total queue={QUEUE} status=succeeded"] == len(IDS)
    assert page["jsworker_job_duration_seconds_count status=succeeded"] == len(IDS)
    assert page["jsworker_phase_duration_seconds_count phase=execute"] == len(IDS)
    assert page["jsworker_calls_total operation=execute result=ok service=pool"] == len(IDS)
    assert page["jsworker_calls_total operation=write result=ok service=blob"] >= len(IDS)
    assert page["jsworker_ready"] == 1
    assert page["jsworker_slots state=open"] == page["jsworker_permits state=held"] + 4
    assert {"jsworker.jobs", "jsworker.job.duration", "jsworker.sessions"} <= sent
    assert traces.keys() == {sender.split("-")[1] for sender in SENDERS.values()}
    assert len(set(traces.values())) == 1, "each job has the same spans"
    for name, sender in SENDERS.items():
        _, trace_id, parent, _ = sender.split("-")
        job = jobs[trace_id]
        assert job.parent_span_id.hex() == parent
        assert results[name]["trace"]["traceparent"].split("-")[2] == job.span_id.hex()
    assert not [line for line in log.read_text().splitlines() if '"level": "warning"' in line]
