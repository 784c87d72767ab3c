"""The queues and topics that the settings name, and what the worker does with each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from worker.lane import subscription_of

if TYPE_CHECKING:
    from worker.settings import WorkerSettings

Use = Literal["jobs", "submissions", "webhooks", "events"]


@dataclass(frozen=True)
class Entity:
    """A queue, a subscription (``topic/Subscriptions/name``) or a topic.

    Attributes:
        use: what goes through it; ``submissions`` are jobs that another worker takes.
        setting: which setting names it, without the prefix.
        received: whether the worker takes messages from it.
        sent: whether the worker sends messages to it.
    """

    name: str
    use: Use
    setting: str
    received: bool = False
    sent: bool = True
    is_topic: bool = False

    @property
    def kind(self) -> str:
        """The word for what it is."""
        return "topic" if self.is_topic else "subscription" if subscription_of(self.name) else "queue"

    def __str__(self) -> str:
        return f"the {self.kind} {self.name!r}"


def entities_of(settings: WorkerSettings) -> tuple[Entity, ...]:
    """All of them, each once; those of the jobs first."""
    named = "QUEUES" if settings.queues else "QUEUE"
    lanes = [
        Entity(lane.name, "jobs", named, received=True, sent=not lane.subscription) for lane in settings.lanes
    ]
    found = [*lanes, Entity(settings.queue, "submissions", "QUEUE")]
    if settings.webhook_hosts:
        found.append(Entity(settings.webhooks_queue, "webhooks", "WEBHOOKS_QUEUE", received=True))
    for one in settings.allowed_destinations:
        if one.kind != "webhook":
            setting = "EVENTS_TO" if one in settings.events_to else "EVENT_DESTINATIONS"
            found.append(Entity(one.name, "events", setting, is_topic=one.kind == "topic"))
    first = {(entity.name.lower(), entity.is_topic): entity for entity in reversed(found)}
    return tuple(entity for entity in found if first[entity.name.lower(), entity.is_topic] is entity)
