"""Which queues and topics the settings name, and where their namespace is."""

from __future__ import annotations

from typing import Any

import pytest

from worker.doctor.entities import Entity, entities_of
from worker.doctor.namespace import Namespace, namespace_of
from worker.faults import ConfigurationFault
from worker.settings import WorkerSettings


def settings(**given: Any) -> WorkerSettings:  # noqa: ANN401 - settings of any kind
    return WorkerSettings.model_validate({"pool_endpoint": "https://p", "max_sessions": 5} | given)


def test_without_more_there_is_one_queue() -> None:
    assert entities_of(settings()) == (Entity("jobs", "jobs", "QUEUE", received=True),)


def test_all_that_the_settings_name_is_there_once() -> None:
    given = settings(
        queues="urgent:4,events/Subscriptions/code",
        queue="elsewhere",
        events_to="topic:events,queue:done,webhook:https://h.example/x",
        event_destinations="queue:Done,queue:others",
        webhook_hosts="h.example",
        webhook_secret="whsec_" + "A" * 44,
    )
    assert [(str(one), one.use, one.received, one.sent) for one in entities_of(given)] == [
        ("the queue 'urgent'", "jobs", True, True),
        ("the subscription 'events/Subscriptions/code'", "jobs", True, False),
        ("the queue 'elsewhere'", "submissions", False, True),
        ("the queue 'webhooks'", "webhooks", True, True),
        ("the topic 'events'", "events", False, True),
        ("the queue 'done'", "events", False, True),
        ("the queue 'others'", "events", False, True),
    ]


def test_a_connection_string_without_an_endpoint_leads_nowhere() -> None:
    for text in ("rubbish", "SharedAccessKeyName=a;SharedAccessKey=b", "Endpoint=sb://:5671/"):
        with pytest.raises(ConfigurationFault, match="names no endpoint"):
            namespace_of(settings(servicebus_connection_string=text))


def test_the_port_is_the_one_that_the_sdk_takes() -> None:
    key = "SharedAccessKeyName=a;SharedAccessKey=b"
    cloud = settings(servicebus_connection_string=f"Endpoint=sb://n.servicebus.windows.net:77/;{key}")
    emulator = settings(
        servicebus_connection_string=f"Endpoint=sb://localhost:5675;{key};UseDevelopmentEmulator=true"
    )
    assert namespace_of(cloud) == Namespace("n.servicebus.windows.net", 5671, is_emulator=False)
    assert namespace_of(emulator) == Namespace("localhost", 5675, is_emulator=True)
    named = namespace_of(settings(servicebus_namespace="n.servicebus.windows.net"))
    assert (named.name, named.port) == ("n", 5671)
    assert named.scope(Entity("events", "events", "EVENTS_TO", is_topic=True)).endswith("/topics/events")
    assert named.scope(Entity("a/Subscriptions/b", "jobs", "QUEUES")).endswith("/topics/a/subscriptions/b")
