"""What calls somebody, and for what."""

from __future__ import annotations

import json
import re

from tests.metrics import METRICS
from tests.unit.deploy.bicep import INFRA
from tests.unit.deploy.deployment import deployed

ALERTS = {
    "dead-letters",
    "oldest-message",
    "no-progress",
    "no-worker",
    "infrastructure-failures",
    "pool-full",
}


def queries() -> dict[str, str]:
    """Those of the alerts and of the workbook, by names."""
    rules = [one.config for one in deployed("modules/alerts").resources() if one.symbol == "logAlerts"]
    found = {one["name"]: one["properties"]["criteria"]["allOf"][0]["query"] for one in rules}
    book = json.loads((INFRA / "workbook.json").read_text())
    return found | {one["name"]: one["content"]["query"] for one in book["items"] if one["type"] == 3}


def test_the_alerts_are_those_that_the_documentation_tells_of() -> None:
    alerts = [one for one in deployed("modules/alerts").resources() if one.symbol != "people"]
    assert {one.config["name"] for one in alerts} == ALERTS


def test_queries_ask_for_metrics_that_there_are() -> None:
    asked = {name for query in queries().values() for name in re.findall(r"'(jsworker\.[\w.]+)'", query)}
    assert asked
    assert asked <= METRICS


def test_the_metrics_are_those_that_the_worker_makes() -> None:
    code = "".join(path.read_text() for path in sorted((INFRA.parents[1] / "worker/telemetry").glob("*.py")))
    assert set(re.findall(r'"(jsworker\.[a-z.]+)"', code)) >= METRICS


def test_a_query_begins_with_a_table_and_has_no_open_bracket() -> None:
    for name, query in queries().items():
        assert re.match(r"\s*(AppMetrics|AzureMetrics|ContainerAppConsoleLogs)\n", query), name
        assert query.count("(") == query.count(")"), name


def test_queries_ask_for_those_metrics_of_the_queues_that_azure_exports_to_logs() -> None:
    exported = {"IncomingMessages", "OutgoingMessages", "CompleteMessage", "AbandonMessage"}
    asked = {one for query in queries().values() for one in re.findall(r"MetricName == '(\w+)'", query)}
    assert asked
    assert asked <= exported  # not the counts of messages, which are only there for metric alerts


def test_an_alert_is_decided_by_one_look_at_its_window() -> None:
    """Several looks count only rows that have a time, which the sums of these queries have not."""
    for rule in [one.config for one in deployed("modules/alerts").resources() if one.symbol == "logAlerts"]:
        (criterion,) = rule["properties"]["criteria"]["allOf"]
        assert criterion["failingPeriods"] == {"numberOfEvaluationPeriods": 1, "minFailingPeriodsToAlert": 1}
        assert rule["properties"]["windowSize"] in {"PT15M", "PT45M", "PT1H"}, rule["name"]


def test_a_pool_is_full_when_jobs_waited_in_each_quarter_of_the_window() -> None:
    (rule,) = [
        one.config["properties"]
        for one in deployed("modules/alerts").resources()
        if one.symbol == "logAlerts" and one.config["name"] == "pool-full"
    ]
    query = rule["criteria"]["allOf"][0]["query"]
    ((minutes, quarters),) = re.findall(
        r"bin_at\(TimeGenerated, (\d+)m, now\(\)\).*quarters >= (\d+)", query, re.DOTALL
    )
    assert f"PT{int(minutes) * int(quarters)}M" == rule["windowSize"] == "PT45M"


def test_each_queue_has_an_alert_of_its_own_for_dead_letters() -> None:
    (alert,) = [one.config for one in deployed("modules/alerts").resources() if one.symbol == "deadLetters"]
    (criterion,) = alert["properties"]["criteria"]["allOf"]
    assert criterion["dimensions"] == [
        {"name": "EntityName", "operator": "Include", "values": ["jobs", "webhooks"]}
    ]


def test_somebody_is_told_if_there_is_somebody_to_tell() -> None:
    for email, told in (("operator@example.com", 1), ("", 0)):
        made = deployed("modules/alerts", alertEmail=email).resources()
        (dead,) = [one.config["properties"] for one in made if one.symbol == "deadLetters"]
        logs = [one.config["properties"] for one in made if one.symbol == "logAlerts"]
        assert len(dead["actions"]) == told
        assert {len(one["actions"]["actionGroups"]) for one in logs} == {told}
        assert len([one for one in made if one.symbol == "people"]) == told
