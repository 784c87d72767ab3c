"""What the broker is told: where it keeps its data, its key, and the queues and topics it has."""

import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from worker.local.broker.rules import DEFAULT_RULE, RuleSettings
from worker.local.validation import explain

POLICY_NAME = "RootManageSharedAccessKey"

_LockSeconds = Annotated[float, Field(gt=0, le=300)]
_Deliveries = Annotated[int, Field(ge=1, le=2000)]
_Port = Annotated[int, Field(ge=0, le=65535)]
_Seconds = Annotated[float, Field(gt=0)]
_Megabytes = Annotated[int, Field(ge=1, le=81920)]
_MessageBytes = Annotated[int, Field(ge=1024, le=100 * 1024 * 1024)]


class ConfigError(ValueError):
    """The configuration cannot be used; the text says which field is wrong, and how."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class QueueSettings(_Strict):
    """One queue. Times in seconds; None turns a rule off. `max_size_megabytes` is told, and not enforced.

    One with `requires_session` can be neither received from nor sent to, for this broker has no sessions.
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9](?:[A-Za-z0-9._/-]{0,258}[A-Za-z0-9])?$")]
    lock_duration_seconds: _LockSeconds = 60.0
    max_delivery_count: _Deliveries = 10
    default_ttl_seconds: _Seconds | None = None
    dead_lettering_on_expiration: bool = False
    duplicate_detection_window_seconds: _Seconds | None = None
    max_message_bytes: _MessageBytes = 256 * 1024
    max_size_megabytes: _Megabytes = 1024
    requires_session: bool = False
    status: Literal["Active", "Disabled", "SendDisabled", "ReceiveDisabled"] = "Active"

    def effective_ttl(self, ttl: float | None) -> float:
        """Return the time to live of a message that asks for `ttl`: the smaller of it and the default."""
        return _smaller(ttl, self.default_ttl_seconds)


class SubscriptionSettings(_Strict):
    """One subscription of a topic: a queue that takes the messages for which one of its rules holds."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,48}[A-Za-z0-9])?$")]
    lock_duration_seconds: _LockSeconds = 60.0
    max_delivery_count: _Deliveries = 10
    default_ttl_seconds: _Seconds | None = None
    dead_lettering_on_expiration: bool = False
    rules: Annotated[tuple[RuleSettings, ...], Field(min_length=1)] = (DEFAULT_RULE,)

    @model_validator(mode="after")
    def _rules_differ(self) -> Self:
        _check_differ("rules", (rule.name for rule in self.rules))
        return self


class TopicSettings(_Strict):
    """One topic with its subscriptions. Its name leaves room for theirs in their addresses."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9](?:[A-Za-z0-9._/-]{0,190}[A-Za-z0-9])?$")]
    duplicate_detection_window_seconds: _Seconds | None = None
    default_ttl_seconds: _Seconds | None = None
    max_message_bytes: _MessageBytes = 256 * 1024
    max_size_megabytes: _Megabytes = 1024
    subscriptions: tuple[SubscriptionSettings, ...] = ()

    @model_validator(mode="after")
    def _subscriptions_differ(self) -> Self:
        _check_differ("subscriptions", (subscription.name for subscription in self.subscriptions))
        return self

    def effective_ttl(self, ttl: float | None) -> float:
        """Return the time to live of a message that asks for `ttl`: the smaller of it and the default."""
        return _smaller(ttl, self.default_ttl_seconds)

    def queue_of(self, subscription: SubscriptionSettings) -> QueueSettings:
        """Return the queue that a subscription is, named by its address."""
        return QueueSettings(
            name=f"{self.name}/Subscriptions/{subscription.name}",
            lock_duration_seconds=subscription.lock_duration_seconds,
            max_delivery_count=subscription.max_delivery_count,
            default_ttl_seconds=subscription.default_ttl_seconds,
            dead_lettering_on_expiration=subscription.dead_lettering_on_expiration,
            max_message_bytes=self.max_message_bytes,
        )


class Declaration(_Strict):
    """The file that declares what there is: `{"queues": [{"name": …, …}], "topics": [{"name": …, …}]}`."""

    queues: tuple[QueueSettings, ...]
    topics: tuple[TopicSettings, ...] = ()


class BrokerConfig(_Strict):
    """All that a broker needs to start. A port of 0 lets the system choose one."""

    data_dir: Path
    queues: tuple[QueueSettings, ...]
    topics: tuple[TopicSettings, ...] = ()
    key: Annotated[str, Field(min_length=1)]
    port: _Port = 0
    management_port: _Port = 0
    accepted_tokens: frozenset[str] = frozenset()

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        _check_differ("queues", (queue.name for queue in self.queues))
        _check_differ("topics", (topic.name for topic in self.topics))
        _check_differ("entities", self._addresses())
        return self

    def _addresses(self) -> Iterator[str]:
        for queue in self.queues:
            yield queue.name
        for topic in self.topics:
            yield topic.name
            yield from (topic.queue_of(subscription).name for subscription in topic.subscriptions)


def read_declaration(path: Path) -> Declaration:
    """Read the queues and topics declared in a JSON file.

    Raises:
        ConfigError: the file cannot be read, is not JSON, or has an unknown or wrong field.
    """
    try:
        return Declaration.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    except ValidationError as error:
        raise ConfigError(f"{path}: {explain(error)}") from error


def _smaller(ttl: float | None, default: float | None) -> float:
    return min(value for value in (ttl, default, math.inf) if value is not None)


def _check_differ(kind: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name.lower() in seen:
            raise ValueError(f"two {kind} have the same name: {name} (names are compared without case)")
        seen.add(name.lower())
