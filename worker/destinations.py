"""Where events go: a queue, a topic, or a webhook; named by jobs, which are untrusted, and by settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from worker.model import Model

if TYPE_CHECKING:
    from collections.abc import Iterable

KINDS = ("queue", "topic", "webhook")
MOST = 5
Entity = Annotated[str, Field(pattern=r"^[A-Za-z0-9](?:[A-Za-z0-9._/-]{0,258}[A-Za-z0-9])?$")]


class Destination(Model):
    """One of the three."""

    queue: Entity | None = None
    topic: Entity | None = None
    webhook: Annotated[str, Field(min_length=1, max_length=2000)] | None = None

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if sum(getattr(self, kind) is not None for kind in KINDS) != 1:
            raise ValueError("must have one of 'queue', 'topic' and 'webhook'")
        return self

    @property
    def kind(self) -> Literal["queue", "topic", "webhook"]:
        """Which of the three."""
        return "queue" if self.queue else "topic" if self.topic else "webhook"

    @property
    def name(self) -> str:
        """The name of the queue or topic, or the webhook's URL."""
        return self.queue or self.topic or self.webhook or ""

    @property
    def key(self) -> tuple[str, str]:
        """What it is compared by: names of queues and topics have no case."""
        return self.kind, self.name if self.kind == "webhook" else self.name.lower()


def _differ(destinations: tuple[Destination, ...]) -> tuple[Destination, ...]:
    if len({one.key for one in destinations}) != len(destinations):
        raise ValueError("names a destination twice")
    return destinations


def _listed(value: object) -> object:
    return (value,) if isinstance(value, dict) else value


ReplyTo = Annotated[
    tuple[Destination, ...], Field(max_length=MOST), AfterValidator(_differ), BeforeValidator(_listed)
]


def parse_destinations(text: str) -> tuple[Destination, ...]:
    """Destinations as settings have them: ``topic:events, queue:done, webhook:https://…``.

    Raises:
        ValueError: one of them is none.
    """
    return tuple(_parsed(part.strip()) for part in text.split(",") if part.strip())


def _parsed(text: str) -> Destination:
    kind, colon, name = text.partition(":")
    if kind not in KINDS or not colon or not name:
        raise ValueError(f"{text!r} is none of queue:NAME, topic:NAME, webhook:URL")
    return Destination.model_validate({kind: name})


def united(*groups: Iterable[Destination]) -> tuple[Destination, ...]:
    """All of them, each once, in their order and as it was named first."""
    found: dict[tuple[str, str], Destination] = {}
    for group in groups:
        for one in group:
            found.setdefault(one.key, one)
    return tuple(found.values())
