"""The file that declares the queues and topics."""

import json
from pathlib import Path
from typing import Any

import pytest

from worker.local.broker.config import (
    BrokerConfig,
    ConfigError,
    QueueSettings,
    TopicSettings,
    read_declaration,
)
from worker.local.state import StateDirectory


def test_a_queue_needs_no_more_than_a_name(tmp_path: Path) -> None:
    path = tmp_path / "queues.json"
    path.write_text('{"queues": [{"name": "jobs"}]}')
    declaration = read_declaration(path)
    assert declaration.queues == (QueueSettings(name="jobs"),)
    assert declaration.topics == ()


def test_a_subscription_without_rules_has_one_that_always_holds(tmp_path: Path) -> None:
    path = tmp_path / "queues.json"
    path.write_text('{"queues": [], "topics": [{"name": "events", "subscriptions": [{"name": "all"}]}]}')
    (topic,) = read_declaration(path).topics
    assert [rule.filter.sql for rule in topic.subscriptions[0].rules] == ["1=1"]


def test_a_subscription_is_a_queue_under_the_address_of_its_topic() -> None:
    topic = TopicSettings.model_validate(
        {
            "name": "Events",
            "max_message_bytes": 2048,
            "subscriptions": [{"name": "All", "lock_duration_seconds": 3, "default_ttl_seconds": 9}],
        }
    )
    queue = topic.queue_of(topic.subscriptions[0])
    assert (queue.name, queue.lock_duration_seconds) == ("Events/Subscriptions/All", 3)
    assert (queue.max_message_bytes, queue.default_ttl_seconds) == (2048, 9)


def test_the_longest_names_of_a_topic_and_its_subscription_fit_into_an_address() -> None:
    topic = TopicSettings.model_validate({"name": "t" * 192, "subscriptions": [{"name": "s" * 50}]})
    assert len(topic.queue_of(topic.subscriptions[0]).name) == 257


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"queues": [{"name": "jobs", "lock": 3}]}', "queues.0.lock: Extra inputs are not permitted"),
        ('{"queues": [{"name": "jobs", "max_delivery_count": 0}]}', "queues.0.max_delivery_count: "),
        ('{"queues": [{"name": ""}]}', "queues.0.name: "),
        ('{"queue": []}', "queues: Field required"),
        ("[", "file: Invalid JSON"),
    ],
)
def test_a_wrong_file_is_explained_by_field(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "queues.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match=problem):
        read_declaration(path)


@pytest.mark.parametrize(
    ("rules", "problem"),
    [
        ([], "rules: Tuple should have at least 1 item"),
        ([{"name": "r"}], "rules.0.filter: Field required"),
        ([{"name": "r", "filter": {}}], "rules.0.filter: .*one of sql, correlation, true and false"),
        ([{"name": "r", "filter": {"sql": "1=1", "true": True}}], "rules.0.filter: .*one of sql"),
        ([{"name": "r", "filter": {"true": False}}], "rules.0.filter.true: "),
        ([{"name": "r", "filter": {"sql": "a = 'b"}}], "rules.0.filter.sql: .*at character 5: the text"),
        ([{"name": "r", "filter": {"correlation": {}}}], "rules.0.filter.correlation: .*needs one property"),
        ([{"name": "r", "filter": {"correlation": {"colour": "x"}}}], "correlation.colour: Extra inputs"),
        (
            [{"name": "r", "filter": {"true": True}}, {"name": "R", "filter": {"false": True}}],
            "subscriptions.0: .*two rules have the same name: R",
        ),
    ],
)
def test_a_wrong_rule_is_explained_by_field(tmp_path: Path, rules: list[Any], problem: str) -> None:
    path = tmp_path / "queues.json"
    topic = {"name": "events", "subscriptions": [{"name": "all", "rules": rules}]}
    path.write_text(json.dumps({"queues": [], "topics": [topic]}))
    with pytest.raises(ConfigError, match=rf"topics\.0\.subscriptions\.0.*{problem}|{problem}"):
        read_declaration(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.json: No such file"):
        read_declaration(tmp_path / "none.json")


@pytest.mark.parametrize(
    ("queues", "topics", "problem"),
    [
        (["Jobs", "jobs"], {}, "two queues have the same name: jobs"),
        ([], {"Events": [], "events": []}, "two topics have the same name: events"),
        (["events"], {"Events": []}, "two entities have the same name: Events"),
        (["events/subscriptions/all"], {"Events": ["All"]}, "two entities have the same name"),
        ([], {"a": ["s"], "a/subscriptions/s": []}, "two entities have the same name"),
    ],
)
def test_names_that_differ_in_case_only_are_the_same(
    tmp_path: Path, queues: list[str], topics: dict[str, list[str]], problem: str
) -> None:
    declared = {
        "queues": [{"name": name} for name in queues],
        "topics": [
            {"name": name, "subscriptions": [{"name": of} for of in subscriptions]}
            for name, subscriptions in topics.items()
        ],
    }
    with pytest.raises(ValueError, match=problem):
        BrokerConfig.model_validate({"data_dir": tmp_path, "key": "k", **declared})


def test_two_subscriptions_of_a_topic_may_not_differ_in_case_only() -> None:
    with pytest.raises(ValueError, match="two subscriptions have the same name: ALL"):
        TopicSettings.model_validate({"name": "e", "subscriptions": [{"name": "all"}, {"name": "ALL"}]})


def test_what_a_local_stack_declares_has_the_jobs_first(tmp_path: Path) -> None:
    state = StateDirectory(tmp_path)
    with state.held():
        declaration = read_declaration(state.queues_file)
        assert state.queue() == "jobs"
    jobs, webhooks = declaration.queues
    assert webhooks == jobs.model_copy(update={"name": "webhooks"})
    (events,) = declaration.topics
    assert (events.name, events.duplicate_detection_window_seconds) == ("events", 600)
    assert [(of.name, of.max_delivery_count) for of in events.subscriptions] == [("all", 20)]
