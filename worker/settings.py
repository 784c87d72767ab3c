"""Settings from the environment (prefix ``JSWORKER_``); all problems are reported at once."""

from __future__ import annotations

import math
import os
import socket
from pathlib import Path  # noqa: TC003 - pydantic reads it when the model is made
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, TypeVar

from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from worker import setting_kinds as kinds  # noqa: TC001 - pydantic reads it when the models are made
from worker.connection_string import is_emulator, management_url_of
from worker.destinations import Destination, united
from worker.lane import Lane, first_name, subscription_of
from worker.webhook_signing import keys_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PREFIX = "JSWORKER_"
MAX_CASES_BYTES = 4 << 20
PLATFORM_RUN_SECONDS = 220  # the service ends every execution after this


class SettingsError(Exception):
    """The settings cannot be used; the message has a line for each problem and what to set.

    Attributes:
        problems: a sentence each, beginning with the setting's name and a colon; empty if there is but one.
    """

    def __init__(self, message: str, problems: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.problems = tuple(problems)


class CasesSettings(BaseSettings):
    """What reading cases needs, before anything is talked to."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", frozen=True, env_ignore_empty=True)

    max_cases_bytes: kinds.Bytes = MAX_CASES_BYTES

    @classmethod
    def missing(cls, _environ: Mapping[str, str]) -> list[str]:
        """The problems that no single setting can tell: here none."""
        return []


class WebhookSettings(CasesSettings):
    """What posting events to webhooks needs: none are posted while no host is allowed."""

    webhooks_queue: str = "webhooks"
    webhook_hosts: kinds.Hosts = ()
    webhook_secret: kinds.SigningKeys | None = None
    webhook_private_networks: kinds.Networks = ()
    webhook_ca_file: kinds.Authorities | None = None
    webhook_timeout_seconds: Annotated[float, Field(gt=0, le=60)] = 15
    webhook_max_attempts: Annotated[int, Field(ge=1, le=100)] = 8
    webhook_retry_base_seconds: Annotated[float, Field(gt=0, le=60)] = 5

    @property
    def webhook_keys(self) -> tuple[bytes, ...]:
        """What events are signed with."""
        return keys_of(self.webhook_secret.get_secret_value()) if self.webhook_secret else ()

    @classmethod
    def missing(cls, environ: Mapping[str, str]) -> list[str]:
        """That events cannot be posted unsigned; of no concern to clients, which post none."""
        if environ.get(f"{PREFIX}WEBHOOK_HOSTS") and not environ.get(f"{PREFIX}WEBHOOK_SECRET"):
            return [f"{PREFIX}WEBHOOK_SECRET: is required with {PREFIX}WEBHOOK_HOSTS, as whsec_ and base64"]
        return []


class TelemetrySettings(CasesSettings):
    """What a worker measures of itself, and where it sends that."""

    metrics: bool = False
    azure_monitor: SecretStr | None = None
    otlp_endpoint: kinds.Url | None = None
    trace_ratio: Annotated[float, Field(ge=0, le=1)] = 1


class ChainSettings(CasesSettings):
    """What making jobs of events needs."""

    max_chain_depth: Annotated[int, Field(ge=1, le=60)] = 16
    results_container: str = "results"


class ClientSettings(WebhookSettings, ChainSettings):
    """What every command needs that talks to the queue and the blobs."""

    servicebus_namespace: str | None = None
    servicebus_connection_string: SecretStr | None = None
    servicebus_management_url: kinds.ManagementUrl | None = None
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
    def management_url(self) -> str:
        """Where properties and counts of queues are asked for."""
        if self.servicebus_management_url:
            return self.servicebus_management_url
        if self.servicebus_connection_string:
            return management_url_of(self.servicebus_connection_string.get_secret_value())
        return f"https://{self.servicebus_namespace}"

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
    def _keys_travel_encrypted(self) -> Self:
        """Only an emulator's key may travel by HTTP, as it does by AMQP."""
        secret, url = self.servicebus_connection_string, self.servicebus_management_url or ""
        if url.startswith("http://") and not (secret and is_emulator(secret.get_secret_value())):
            raise ValueError(
                "SERVICEBUS_MANAGEMENT_URL: may be http only with UseDevelopmentEmulator=true in "
                "SERVICEBUS_CONNECTION_STRING"
            )
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
    def beyond(self) -> int:
        """Slots beyond the sessions, which fetch and store while the others execute."""
        return self.lookahead if self.lookahead is not None else min(16, 2 + self.max_sessions // 2)

    @property
    def slots(self) -> int:
        """All slots."""
        return self.max_sessions + self.beyond

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
