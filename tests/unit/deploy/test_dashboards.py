from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

DASHBOARDS = Path(__file__).parents[3] / "deploy" / "dashboards"
OPERATING = (Path(__file__).parents[3] / "docs" / "operating.md").read_text()
GRAFANA = json.loads((DASHBOARDS / "grafana.json").read_text())
ALERTS = yaml.safe_load((DASHBOARDS / "alerts.yaml").read_text())["groups"][0]["rules"]
CONSOLE = (DASHBOARDS / "prometheus-console" / "jsworker.html").read_text()

COUNTERS = {
    "jsworker_jobs_total": {"status", "queue"},
    "jsworker_settlements_total": {"outcome"},
    "jsworker_attempts_lost_total": {"during_outage"},
    "jsworker_capacity_waits_total": {"resource"},
    "jsworker_lock_renewals_total": {"outcome"},
    "jsworker_calls_total": {"service", "operation", "result"},
}
HISTOGRAMS = {
    "jsworker_job_duration_seconds_bucket": {"status", "le"},
    "jsworker_phase_duration_seconds_bucket": {"phase", "le"},
    "jsworker_call_duration_seconds_bucket": {"service", "operation", "result", "le"},
}
GAUGES = {
    "jsworker_slots": {"state"},
    "jsworker_permits": {"state"},
    "jsworker_sessions": {"state"},
    "jsworker_queue_oldest_age_seconds": {"queue"},
    "jsworker_ready": set[str](),
    "jsworker_breaker_open": {"part"},
}
METRICS = COUNTERS | HISTOGRAMS | GAUGES


def panels_of_console() -> list[dict[str, Any]]:
    found = re.search(r"const PANELS = (\[.*?\n\]);", CONSOLE, re.DOTALL)
    assert found
    panels: list[dict[str, Any]] = json.loads(found.group(1))
    return panels


def of_grafana() -> list[tuple[str, str]]:
    return [
        (target["expr"], target["legendFormat"]) for panel in GRAFANA["panels"] for target in panel["targets"]
    ]


def of_console() -> list[tuple[str, str]]:
    return [(line["expr"], line["legend"]) for panel in panels_of_console() for line in panel["lines"]]


EXPRESSIONS = [*of_grafana(), *of_console(), *((alert["expr"], "") for alert in ALERTS)]


@pytest.mark.parametrize(("expression", "legend"), EXPRESSIONS)
def test_an_expression_asks_for_metrics_of_the_worker_by_labels_that_they_have(
    expression: str, legend: str
) -> None:
    names = set(re.findall(r"\bjsworker_\w+", expression))
    assert names
    assert names <= set(METRICS)
    labels = {"instance", *set[str]().union(*(METRICS[name] for name in names))}
    asked = {label for by in re.findall(r"by \(([^)]*)\)", expression) for label in by.split(", ")}
    asked |= set(re.findall(r"(\w+)(?:=~|!=|=)\"", expression)) | set(re.findall(r"(?:{{|<)(\w+)", legend))
    assert asked <= labels


@pytest.mark.parametrize(("expression", "_legend"), EXPRESSIONS)
def test_an_expression_treats_counters_as_counters(expression: str, _legend: str) -> None:
    for name in re.findall(r"jsworker_\w+", expression):
        ranged = re.search(rf"(rate|increase)\({name}(\{{[^}}]*\}})?\[", expression)
        assert bool(ranged) == (name not in GAUGES), name


def test_the_dashboards_show_every_metric() -> None:
    for told in (of_grafana(), of_console()):
        assert {name for expression, _ in told for name in re.findall(r"jsworker_\w+", expression)} == set(
            METRICS
        )


def test_both_dashboards_show_the_same() -> None:
    plain = [
        re.sub(
            r"{}|,? ?(instance|queue)=~\"\$\w+\",? ?", "", re.sub(r"\$__rate_interval", "$window", expression)
        )
        for expression, _ in of_grafana()
    ]
    assert [expression.replace("{}", "") for expression in plain] == [
        expression for expression, _ in of_console()
    ]
    assert [panel["title"] for panel in GRAFANA["panels"]] == [
        panel["title"] for panel in panels_of_console()
    ]


def test_the_dashboard_can_be_imported_and_asks_for_its_data_source() -> None:
    variables = {variable["name"]: variable["type"] for variable in GRAFANA["templating"]["list"]}
    assert variables == {"datasource": "datasource", "instance": "query", "queue": "query"}
    assert GRAFANA["schemaVersion"] >= 36
    assert "id" not in GRAFANA
    assert len({panel["id"] for panel in GRAFANA["panels"]}) == len(GRAFANA["panels"])
    for panel in GRAFANA["panels"]:
        for part in (panel, *panel["targets"]):
            assert part["datasource"] == {"type": "prometheus", "uid": "${datasource}"}


def test_panels_lie_beside_each_other() -> None:
    places = [tuple(panel["gridPos"][side] for side in "xywh") for panel in GRAFANA["panels"]]
    cells = [(x + i, y + j) for x, y, w, h in places for i in range(w) for j in range(h)]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24


def test_each_alert_says_what_to_do() -> None:
    headings = set(re.findall(r"^### (.+)$", OPERATING, re.MULTILINE))
    assert len(ALERTS) == 5
    for alert in ALERTS:
        page, _, heading = alert["annotations"]["runbook"].partition("#")
        assert page == "docs/operating.md"
        assert heading in headings
        assert heading.replace("-", "") == alert["alert"].removeprefix("Jsworker").lower()
