"""Settings from the environment (prefix ``JSWORKER_``); all problems are reported at once."""

from __future__ import annotations

import math
import os
import socket
from pathlib import Path  # noqa: TC003 - pydantic reads it when the model is made
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, TypeVar

from pydantic import Field, SecretStr, ValidationError, model_validator

from worker import setting_kinds as kinds  # noqa: TC001 - pydantic reads it when the models are made
from worker.destinations import Destination, united
from worker.lane import Lane, first_name, subscription_of
from worker.setting_groups import (
    PREFIX,
    CasesSettings,
    ChainSettings,
    ServiceBusSettings,
    TelemetrySettings,
    WebhookSettings,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PLATFORM_RUN_SECONDS = 220  # the service ends every execution after this


def default_lookahead(sessions: int) -> int:
    """How many slots a worker has beyond its sessions, unless ``LOOKAHEAD`` says otherwise."""
    return min(16, 2 + sessions // 2)


class SettingsError(Exception):
    """The settings cannot be used; the message has a line for each problem and what to set.

    Attributes:
        problems: a sentence each, beginning with the setting's name and a colon; empty if there is but one.
    """

    def __init__(self, message: str, problems: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.problems = tuple(problems)


class ClientSettings(ServiceBusSettings, WebhookSettings, ChainSettings):
    """What every command needs that talks to the queue and the blobs."""

    queue: kinds.QueueName = "jobs"
    queues: kinds.Lanes = ()
    storage_account_url: kinds.Url | None = None
    storage_connection_string: SecretStr | None = None
    code_containers: kinds.Containers = ("submissions", "inputs")
    events_to: kinds.Destinations = ()
    event_destinations: kinds.Destinations = ()
    event_source: Annotated[str, Field(pattern=r"^[!-~]{1,256}$")] = "/jsworker"
    log_format: Literal["json", "console"] = "json"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    @property
    def allowed_destinations(self) -> tuple[Destination, ...]:
        """Where jobs may have their events sent, webhooks aside, for which their hosts are looked at."""
        return united(self.events_to, self.event_destinations)

    @property
    def lanes(self) -> tuple[Lane, ...]:
        """The queues that a worker takes jobs from; the first is one that can be sent to."""
        return self.queues or (Lane(self.queue),)

    @property
    def queue_names(self) -> tuple[str, ...]:
        """The names of all queues that jobs may be in, the one to submit to included."""
        return tuple(dict.fromkeys([*(lane.name for lane in self.lanes), self.queue]))

    @model_validator(mode="before")
    @classmethod
    def _submit_to_the_first(cls, values: Any) -> Any:  # noqa: ANN401 - whatever was given
        """Of several queues the first is the one to submit to, unless ``queue`` says otherwise."""
        if isinstance(values, dict) and "queue" not in values and isinstance(values.get("queues"), str):
            name = first_name(values["queues"])
            if name and not subscription_of(name):
                return {**values, "queue": name}
        return values

    @classmethod
    def missing(cls, environ: Mapping[str, str]) -> list[str]:
        """What is needed for the queue and the blobs, in one way or another."""
        pairs = (
            ("SERVICEBUS_NAMESPACE", "SERVICEBUS_CONNECTION_STRING"),
            ("STORAGE_ACCOUNT_URL", "STORAGE_CONNECTION_STRING"),
        )
        return [
            f"{PREFIX}{identity}: set this (signs in with Entra) or {PREFIX}{key}"
            for identity, key in pairs
            if not environ.get(PREFIX + identity) and not environ.get(PREFIX + key)
        ]

    @model_validator(mode="after")
    def _results_are_no_code(self) -> Self:
        """A job that could name results could read other people's, and what their hidden cases expect."""
        if self.results_container in self.code_containers:
            raise ValueError(f"CODE_CONTAINERS: must not name {self.results_container!r}, where results are")
        return self

    @model_validator(mode="after")
    def _no_loop(self) -> Self:
        """An event in a queue of jobs would end as a rejected job, and that in the next event."""
        taken = {name.lower() for name in self.queue_names}
        for one in self.allowed_destinations:
            if one.kind == "queue" and one.name.lower() in taken:
                raise ValueError(
                    f"EVENTS_TO and EVENT_DESTINATIONS must not name {one.name!r}, a queue of jobs"
                )
        return self


class WorkerSettings(ClientSettings, TelemetrySettings):
    """What the worker needs besides: the pool, the bounds, and how to behave.

    Times are seconds, sizes bytes (MiB where the name says ``mb``).
    """

    pool_endpoint: kinds.Url
    pool_api_version: str = "2025-10-02-preview"
    pool_token: SecretStr | None = None
    max_sessions: Annotated[int, Field(ge=1, le=600)]
    lookahead: Annotated[int, Field(ge=0, le=600)] | None = None
    fair_lookahead: Annotated[int, Field(ge=0, le=1_000_000)] = 20_000
    session_policy: Literal["fresh", "keyed", "shared"] = "fresh"
    session_cooldown_seconds: Annotated[float, Field(ge=0, le=3600)] = 300
    session_secret: SecretStr | None = None
    permit_leases: bool = False
    permit_lease_seconds: Annotated[float, Field(ge=15, le=60)] = 60
    sessions_per_worker: Annotated[int, Field(ge=1, le=600)] | None = None
    max_attempts: Annotated[int, Field(ge=1, le=100)] = 5
    retry_base_seconds: kinds.Seconds = 2
    retry_max_seconds: kinds.Seconds = 300
    wait_in_hand_seconds: kinds.Seconds = 120
    shutdown_grace_seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 25
    default_timeout_seconds: kinds.Seconds = 10
    max_timeout_seconds: Annotated[float, Field(gt=0, le=PLATFORM_RUN_SECONDS - 10)] = 200
    default_memory_mb: Annotated[int, Field(ge=16)] = 512
    max_memory_mb: Annotated[int, Field(ge=16)] = 2048
    default_output_bytes: kinds.Bytes = 16 << 20
    max_output_bytes: kinds.Bytes = 64 << 20
    max_inline_output_bytes: kinds.Bytes = 256 << 10
    max_code_bytes: kinds.Bytes = 8 << 20
    max_input_bytes: kinds.Bytes = 64 << 20
    max_collect_bytes: kinds.Bytes = 32 << 20
    max_fan_out: Annotated[int, Field(ge=1, le=10_000)] = 1000
    routes: Path | None = None
    health_port: Annotated[int, Field(ge=0, le=65535)] | None = None
    instance: str = Field(default_factory=lambda: f"{socket.gethostname()}-{os.getpid()}")

    @property
    def own_sessions(self) -> int:
        """The most sessions that this worker uses by itself."""
        return self.sessions_per_worker or self.max_sessions

    @property
    def beyond(self) -> int:
        """Slots beyond the sessions, which fetch and store while the others execute."""
        return self.lookahead if self.lookahead is not None else default_lookahead(self.own_sessions)

    @property
    def slots(self) -> int:
        """All slots."""
        return self.own_sessions + self.beyond

    @model_validator(mode="after")
    def _share_of_the_fleet(self) -> Self:
        """Without leases a worker has what ``max_sessions`` says, and nothing tells of the others."""
        if self.sessions_per_worker is None:
            return self
        if not self.permit_leases:
            raise ValueError("SESSIONS_PER_WORKER: needs PERMIT_LEASES=true; without, set MAX_SESSIONS")
        if self.sessions_per_worker > self.max_sessions:
            raise ValueError("SESSIONS_PER_WORKER: is above MAX_SESSIONS, which all workers have together")
        return self

    @model_validator(mode="after")
    def _metrics_are_served(self) -> Self:
        if self.metrics and self.health_port is None:
            raise ValueError("METRICS: is served on the health port: set JSWORKER_HEALTH_PORT too")
        return self

    @classmethod
    def missing(cls, environ: Mapping[str, str]) -> list[str]:
        """Adds defaults that lie above their maximum, which would reject every job."""
        problems = super().missing(environ) + WebhookSettings.missing(environ)
        for limit in ("timeout_seconds", "memory_mb", "output_bytes"):
            default, maximum = (
                _number(
                    environ.get(f"{PREFIX}{kind}_{limit}".upper())
                    or cls.model_fields[f"{kind}_{limit}"].default
                )
                for kind in ("default", "max")
            )
            if default > maximum:
                problems.append(f"{PREFIX}DEFAULT_{limit.upper()}: is above {PREFIX}MAX_{limit.upper()}")
        return problems


S = TypeVar("S", bound=CasesSettings)


def load(cls: type[S]) -> S:
    """Read settings of a kind from the environment.

    Raises:
        SettingsError: with a line for each problem.
    """
    try:
        settings = cls()
        problems = []
    except ValidationError as error:
        problems = [
            _problem(e["loc"], e["msg"]) for e in error.errors(include_input=False, include_url=False)
        ]
    problems += cls.missing(os.environ)
    if problems:
        lines = "\n".join(f"  {problem}" for problem in problems)
        raise SettingsError(f"the settings cannot be used:\n{lines}", problems)
    return settings


def unusable(name: str, reason: object) -> SettingsError:
    """That one setting cannot be used, for what finds that out when it uses it; ``name`` has no prefix."""
    return SettingsError(f"the settings cannot be used:\n  {PREFIX}{name}: {reason}")


def _number(value: str | float) -> float:
    """What is no number has been told already, and is neither above nor below another."""
    try:
        return float(value)
    except ValueError:
        return math.nan


def _problem(location: tuple[int | str, ...], message: str) -> str:
    if not location:  # of several settings together
        return PREFIX + message.removeprefix("Value error, ")
    name = PREFIX + str(location[0]).upper()
    return (
        f"{name}: {'is required' if message == 'Field required' else message.removeprefix('Value error, ')}"
    )
