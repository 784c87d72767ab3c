"""Groups of settings, for what needs no others; ``worker.settings`` puts them together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from worker import setting_kinds as kinds  # noqa: TC001 - pydantic reads it when the models are made
from worker.connection_string import is_emulator, management_url_of
from worker.webhook_signing import keys_of

if TYPE_CHECKING:
    from collections.abc import Mapping

PREFIX = "JSWORKER_"
MAX_CASES_BYTES = 4 << 20


class CasesSettings(BaseSettings):
    """What reading cases needs, before anything is talked to."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", frozen=True, env_ignore_empty=True)

    max_cases_bytes: kinds.Bytes = MAX_CASES_BYTES

    @classmethod
    def missing(cls, _environ: Mapping[str, str]) -> list[str]:
        """The problems that no single setting can tell: here none."""
        return []


class ServiceBusSettings(CasesSettings):
    """Where queues are, and how to sign in to them."""

    servicebus_namespace: str | None = None
    servicebus_connection_string: SecretStr | None = None
    servicebus_management_url: kinds.ManagementUrl | None = None

    @property
    def management_url(self) -> str:
        """Where properties and counts of queues are asked for."""
        if self.servicebus_management_url:
            return self.servicebus_management_url
        if self.servicebus_connection_string:
            return management_url_of(self.servicebus_connection_string.get_secret_value())
        return f"https://{self.servicebus_namespace}"

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
