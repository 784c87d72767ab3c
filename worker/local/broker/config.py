"""What the broker is told: where it keeps its data, its key, and the queues it has."""

import math
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from worker.local.validation import explain

POLICY_NAME = "RootManageSharedAccessKey"


class ConfigError(ValueError):
    """The configuration cannot be used; the text says which field is wrong, and how."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class QueueSettings(_Strict):
    """One queue. Times in seconds; None turns a rule off."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9](?:[A-Za-z0-9._/-]{0,258}[A-Za-z0-9])?$")]
    lock_duration_seconds: Annotated[float, Field(gt=0, le=300)] = 60.0
    max_delivery_count: Annotated[int, Field(ge=1, le=2000)] = 10
    default_ttl_seconds: Annotated[float, Field(gt=0)] | None = None
    dead_lettering_on_expiration: bool = False
    duplicate_detection_window_seconds: Annotated[float, Field(gt=0)] | None = None
    max_message_bytes: Annotated[int, Field(ge=1024, le=100 * 1024 * 1024)] = 256 * 1024

    def effective_ttl(self, ttl: float | None) -> float:
        """Return the time to live of a message that asks for `ttl`: the smaller of it and the default."""
        return min(value for value in (ttl, self.default_ttl_seconds, math.inf) if value is not None)


class BrokerConfig(_Strict):
    """All that a broker needs to start. Port 0 lets the system choose one."""

    data_dir: Path
    queues: tuple[QueueSettings, ...]
    key: Annotated[str, Field(min_length=1)]
    port: Annotated[int, Field(ge=0, le=65535)] = 0
    accepted_tokens: frozenset[str] = frozenset()

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = [queue.name.lower() for queue in self.queues]
        if len(set(names)) != len(names):
            raise ValueError("two queues have the same name (names are compared without case)")
        return self


class _QueuesFile(_Strict):
    queues: tuple[QueueSettings, ...]


def read_queues(path: Path) -> tuple[QueueSettings, ...]:
    """Read the queues declared in a JSON file: `{"queues": [{"name": …, …}]}`.

    Raises:
        ConfigError: the file cannot be read, is not JSON, or has an unknown or wrong field.
    """
    try:
        return _QueuesFile.model_validate_json(path.read_bytes()).queues
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    except ValidationError as error:
        raise ConfigError(f"{path}: {explain(error)}") from error
