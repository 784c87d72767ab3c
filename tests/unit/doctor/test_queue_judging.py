"""How a queue is set, against what the worker needs of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from worker.doctor.entities import Entity
from worker.doctor.namespace import Namespace
from worker.doctor.queue_judging import Judge
from worker.queue_properties import QueueCounts, QueueProperties, TopicProperties
from worker.settings import WorkerSettings

AZURE = Namespace("name.servicebus.windows.net", 5671, is_emulator=False)
EMULATOR = Namespace("127.0.0.1", 5672, is_emulator=True)
JOBS = Entity("jobs", "jobs", "QUEUE", received=True)
SUBSCRIPTION = Entity("uploads/Subscriptions/code", "jobs", "QUEUES", received=True, sent=False)
HOOKS = Entity("webhooks", "webhooks", "WEBHOOKS_QUEUE", received=True)
DONE = Entity("done", "events", "EVENTS_TO")
EVENTS = Entity("events", "events", "EVENTS_TO", is_topic=True)
WELL = QueueProperties(
    name="jobs",
    lock_seconds=60,
    max_delivery_count=20,
    duplicate_window_seconds=600,
    time_to_live_seconds=None,
    dead_lettering_on_expiration=True,
    requires_session=False,
    status="Active",
    max_size_bytes=1 << 30,
    forward_to=None,
)
EMPTY = QueueCounts(active=0, scheduled=0, dead_lettered=0, transfer=0, size_bytes=0)


def settings(**changes: Any) -> WorkerSettings:  # noqa: ANN401 - settings of any kind
    return WorkerSettings.model_validate({"pool_endpoint": "https://p", "max_sessions": 5} | changes)


def judge(entity: Entity = JOBS, namespace: Namespace = AZURE, **changes: Any) -> Judge:  # noqa: ANN401 - as above
    return Judge(entity, namespace, settings(**changes))


@pytest.mark.parametrize("entity", [JOBS, SUBSCRIPTION, HOOKS, DONE])
def test_a_queue_as_the_documents_make_it_is_well(entity: Entity) -> None:
    (finding,) = judge(entity).queue(WELL)
    assert (finding.check, finding.status, finding.remedy) == ("queue-properties", "ok", None)


@pytest.mark.parametrize(
    ("changes", "check", "status", "remedy"),
    [
        ({"lock_seconds": 19.0}, "lock-duration", "failed", "--lock-duration PT1M"),
        ({"lock_seconds": 30.0}, "lock-duration", "warning", "--lock-duration PT1M"),
        ({"lock_seconds": 300.0}, "lock-duration", "info", "--lock-duration PT1M"),
        ({"max_delivery_count": 8}, "delivery-count", "failed", "--max-delivery-count 20"),
        ({"max_delivery_count": 10}, "delivery-count", "warning", "--max-delivery-count 20"),
        ({"duplicate_window_seconds": None}, "duplicate-detection", "warning", "queue delete"),
        (
            {"duplicate_window_seconds": 60.0},
            "duplicate-detection",
            "warning",
            "--duplicate-detection-history-time-window PT10M",
        ),
        ({"time_to_live_seconds": 299.0}, "time-to-live", "failed", "--default-message-time-to-live P14D"),
        ({"time_to_live_seconds": 3599.0}, "time-to-live", "warning", "--default-message-time-to-live P14D"),
        (
            {"dead_lettering_on_expiration": False},
            "dead-lettering-on-expiration",
            "warning",
            "--enable-dead-lettering-on-message-expiration true",
        ),
        ({"requires_session": True}, "queue-sessions", "failed", "queue create"),
        ({"status": "Disabled"}, "queue-status", "failed", "--status Active"),
        ({"status": "SendDisabled"}, "queue-status", "failed", "--status Active"),
        ({"status": "ReceiveDisabled"}, "queue-status", "failed", "--status Active"),
        ({"forward_to": "other"}, "queue-forwarding", "failed", "--forward-to"),
    ],
)
def test_each_deviation_is_found_with_the_command_that_mends_it(
    changes: dict[str, Any], check: str, status: str, remedy: str
) -> None:
    (finding,) = judge().queue(replace(WELL, **changes))
    assert (finding.check, finding.status) == (check, status)
    assert finding.facts["queue"] == "jobs"
    assert finding.remedy
    assert remedy in finding.remedy
    assert "--resource-group GROUP --namespace-name name --name jobs" in finding.remedy


def test_a_queue_as_the_service_makes_it_by_default_needs_three_changes() -> None:
    default = replace(
        WELL, max_delivery_count=10, duplicate_window_seconds=None, dead_lettering_on_expiration=False
    )
    found = [finding.check for finding in judge().queue(default)]
    assert found == ["delivery-count", "dead-lettering-on-expiration", "duplicate-detection"]


def test_more_attempts_need_more_deliveries() -> None:
    (finding,) = judge(max_attempts=20).queue(WELL)
    assert (finding.check, finding.facts["usual"]) == ("delivery-count", 29)
    assert str(finding.remedy).endswith("--max-delivery-count 29")


def test_longer_retries_need_a_longer_life() -> None:
    (finding,) = judge(retry_max_seconds=86400).queue(replace(WELL, time_to_live_seconds=7200))
    assert (finding.check, finding.status) == ("time-to-live", "failed")


def test_the_delivery_count_of_a_queue_of_webhooks_is_no_failure() -> None:
    (finding,) = judge(HOOKS).queue(replace(WELL, max_delivery_count=5))
    assert (finding.check, finding.status) == ("delivery-count", "warning")


def test_of_a_queue_for_events_only_what_hinders_sending_counts() -> None:
    other = replace(WELL, lock_seconds=5, max_delivery_count=1, status="ReceiveDisabled", forward_to="x")
    assert [finding.status for finding in judge(DONE).queue(other)] == ["ok"]
    (finding,) = judge(DONE).queue(replace(WELL, duplicate_window_seconds=None))
    assert (finding.check, finding.status) == ("duplicate-detection", "info")


def test_a_subscription_is_changed_by_commands_of_its_own() -> None:
    (finding,) = judge(SUBSCRIPTION).queue(replace(WELL, duplicate_window_seconds=None, lock_seconds=10))
    assert finding.facts["subscription"] == "uploads/Subscriptions/code"
    assert str(finding.remedy).startswith("az servicebus topic subscription update --resource-group GROUP ")
    assert "--topic-name uploads --name code --lock-duration PT1M" in str(finding.remedy)


def test_a_topic_is_looked_at_as_far_as_sending_goes() -> None:
    topic = TopicProperties("events", 600, None, "Active", 1 << 30)
    assert [finding.status for finding in judge(EVENTS).topic(topic)] == ["ok"]
    off, twice = judge(EVENTS).topic(replace(topic, status="Disabled", duplicate_window_seconds=None))
    assert (off.check, off.status) == ("queue-status", "failed")
    assert "servicebus topic update" in str(off.remedy)
    assert (twice.check, twice.status) == ("duplicate-detection", "info")


def test_an_emulator_is_changed_in_its_declaration() -> None:
    (finding,) = judge(namespace=EMULATOR).queue(replace(WELL, lock_seconds=10))
    assert finding.remedy == (
        "Set lock duration to PT1M where the emulator's entities are declared, and start it again"
    )


@pytest.mark.parametrize(
    ("size", "status"), [(0, None), (799, None), (800, "warning"), (949, "warning"), (950, "failed")]
)
def test_a_queue_that_is_nearly_full_is_told_in_time(size: int, status: str | None) -> None:
    found = judge().contents(replace(EMPTY, size_bytes=size), 1000)
    assert [finding.status for finding in found if finding.check == "queue-size"] == (
        [status] if status else []
    )


def test_what_a_subscription_does_not_tell_is_not_judged() -> None:
    found = judge(SUBSCRIPTION).contents(replace(EMPTY, size_bytes=None), None)
    assert [(finding.check, finding.status) for finding in found] == [("queue-contents", "ok")]


def test_dead_letters_are_worth_knowing() -> None:
    dead, contents = judge().contents(replace(EMPTY, dead_lettered=3, active=2), None)
    assert (dead.check, dead.status, dead.remedy) == ("dead-letters", "info", "jsworker deadletters list")
    assert contents.facts == {"queue": "jobs", "active": 2, "scheduled": 0, "dead_lettered": 3}
    assert judge(DONE).contents(replace(EMPTY, dead_lettered=3), None)[0].check == "queue-contents"


def test_what_may_not_be_read_is_unknown_and_can_be_looked_at_by_hand() -> None:
    finding = judge().hidden("no right")
    assert (finding.check, finding.status) == ("queue-properties", "unknown")
    assert "az servicebus queue show --resource-group GROUP --namespace-name name --name jobs" in str(
        finding.remedy
    )
    assert "az " not in str(judge(namespace=EMULATOR).hidden("no right").remedy)


def test_what_is_missing_can_be_made() -> None:
    finding = judge().missing("there is no 'jobs'")
    assert (finding.check, finding.status) == ("queue-exists", "failed")
    assert "JSWORKER_QUEUE" in finding.message
    assert "--lock-duration PT1M --max-delivery-count 20" in str(finding.remedy)
