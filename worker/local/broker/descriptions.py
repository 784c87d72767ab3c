"""How entities are described by the management API, field by field and in Azure's order."""

from typing import Final
from xml.etree.ElementTree import Element

from worker.local.broker.atom import COUNTS, INSTANCE, SERVICE_BUS, Value, described, duration
from worker.local.broker.config import TopicSettings
from worker.local.broker.queues import Queue
from worker.local.broker.rules import CorrelationSettings, FilterSettings, RuleSettings
from worker.local.broker.values import Counts

_SINCE: Final = "2024-01-01T00:00:00Z"  # when an entity was made is not kept
_DATES: Final = tuple((name, _SINCE) for name in ("CreatedAt", "UpdatedAt", "AccessedAt"))
_WINDOW_SECONDS: Final = 600.0  # what Azure shows where duplicates are not looked for
_TYPE: Final = f"{{{INSTANCE}}}type"
_SYSTEM: Final = (
    ("CorrelationId", "correlation_id"),
    ("MessageId", "message_id"),
    ("To", "to"),
    ("ReplyTo", "reply_to"),
    ("Label", "subject"),
    ("SessionId", "session_id"),
    ("ReplyToSessionId", "reply_to_session_id"),
    ("ContentType", "content_type"),
)


def queue_description(queue: Queue) -> Element:
    """Return what a queue is and holds."""
    settings, counts = queue.settings, queue.counts()
    return described(
        "QueueDescription",
        [
            ("LockDuration", duration(settings.lock_duration_seconds)),
            ("MaxSizeInMegabytes", settings.max_size_megabytes),
            ("RequiresDuplicateDetection", settings.duplicate_detection_window_seconds is not None),
            ("RequiresSession", settings.requires_session),
            ("DefaultMessageTimeToLive", duration(settings.default_ttl_seconds)),
            ("DeadLetteringOnMessageExpiration", settings.dead_lettering_on_expiration),
            _window(settings.duplicate_detection_window_seconds),
            ("MaxDeliveryCount", settings.max_delivery_count),
            ("EnableBatchedOperations", True),
            ("SizeInBytes", counts.size_bytes),
            ("MessageCount", counts.total),
            ("IsAnonymousAccessible", False),
            ("Status", settings.status),
            *_DATES,
            ("SupportOrdering", True),
            ("CountDetails", _count_details(counts)),
            ("AutoDeleteOnIdle", duration(None)),
            ("EnablePartitioning", False),
            ("EntityAvailabilityStatus", "Available"),
            ("EnableExpress", False),
        ],
    )


def subscription_description(queue: Queue) -> Element:
    """Return what a subscription is and holds; Azure tells neither its size nor its duplicates' window."""
    settings, counts = queue.settings, queue.counts()
    return described(
        "SubscriptionDescription",
        [
            ("LockDuration", duration(settings.lock_duration_seconds)),
            ("RequiresSession", False),
            ("DefaultMessageTimeToLive", duration(settings.default_ttl_seconds)),
            ("DeadLetteringOnMessageExpiration", settings.dead_lettering_on_expiration),
            ("DeadLetteringOnFilterEvaluationExceptions", False),
            ("MessageCount", counts.total),
            ("MaxDeliveryCount", settings.max_delivery_count),
            ("EnableBatchedOperations", True),
            ("Status", "Active"),
            *_DATES,
            ("CountDetails", _count_details(counts)),
            ("AutoDeleteOnIdle", duration(None)),
            ("EntityAvailabilityStatus", "Available"),
        ],
    )


def topic_description(topic: TopicSettings, scheduled: Counts) -> Element:
    """Return what a topic is, and what it keeps: messages that are scheduled."""
    return described(
        "TopicDescription",
        [
            ("DefaultMessageTimeToLive", duration(topic.default_ttl_seconds)),
            ("MaxSizeInMegabytes", topic.max_size_megabytes),
            ("RequiresDuplicateDetection", topic.duplicate_detection_window_seconds is not None),
            _window(topic.duplicate_detection_window_seconds),
            ("EnableBatchedOperations", True),
            ("SizeInBytes", scheduled.size_bytes),
            ("IsAnonymousAccessible", False),
            ("Status", "Active"),
            *_DATES,
            ("SupportOrdering", True),
            ("CountDetails", _count_details(scheduled)),
            ("SubscriptionCount", len(topic.subscriptions)),
            ("AutoDeleteOnIdle", duration(None)),
            ("EnablePartitioning", False),
            ("EntityAvailabilityStatus", "Available"),
            ("EnableExpress", False),
        ],
    )


def rule_description(rule: RuleSettings) -> Element:
    """Return a rule of a subscription."""
    action = described("Action", [])
    action.set(_TYPE, "EmptyRuleAction")
    fields: list[tuple[str, Value]] = [("Filter", _filter(rule.filter)), ("Action", action)]
    return described("RuleDescription", [*fields, ("CreatedAt", _SINCE), ("Name", rule.name)])


def _window(seconds: float | None) -> tuple[str, Value]:
    return "DuplicateDetectionHistoryTimeWindow", duration(seconds or _WINDOW_SECONDS)


def _count_details(counts: Counts) -> Element:
    return described(
        "CountDetails",
        [
            ("ActiveMessageCount", counts.active),
            ("DeadLetterMessageCount", counts.dead_lettered),
            ("ScheduledMessageCount", counts.scheduled),
            ("TransferMessageCount", 0),
            ("TransferDeadLetterMessageCount", 0),
        ],
        COUNTS,
    )


def _filter(declared: FilterSettings) -> Element:
    if declared.correlation is not None:
        return _correlation(declared.correlation)
    kind, expression = "SqlFilter", declared.sql
    if expression is None:
        kind, expression = ("TrueFilter", "1=1") if declared.true else ("FalseFilter", "1=0")
    element = described("Filter", [("SqlExpression", expression), ("CompatibilityLevel", 20)])
    element.set(_TYPE, kind)
    return element


def _correlation(declared: CorrelationSettings) -> Element:
    given = [(name, getattr(declared, field)) for name, field in _SYSTEM]
    element = described("Filter", [(name, value) for name, value in given if value is not None])
    element.set(_TYPE, "CorrelationFilter")
    if declared.properties:
        properties = described("Properties", [])
        properties.extend(_key_value(key, value) for key, value in declared.properties.items())
        element.append(properties)
    return element


def _key_value(key: str, value: str | float) -> Element:
    pair = described("KeyValueOfstringanyType", [("Key", key), ("Value", value)])
    kinds = {bool: "boolean", int: "long", float: "double"}
    value_element = pair.find(f"{{{SERVICE_BUS}}}Value")
    if value_element is not None:
        value_element.set(_TYPE, f"d6p1:{kinds.get(type(value), 'string')}")
        value_element.set("xmlns:d6p1", "http://www.w3.org/2001/XMLSchema")
    return pair
