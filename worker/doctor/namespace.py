"""The Service Bus namespace of the settings, and the commands that show and change what is in it."""

from __future__ import annotations

from dataclasses import dataclass
from shlex import quote
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from worker.connection_string import host_of, is_emulator
from worker.faults import ConfigurationFault
from worker.lane import subscription_of

if TYPE_CHECKING:
    from worker.doctor.entities import Entity
    from worker.settings import ClientSettings

TLS_PORT, PLAIN_PORT = 5671, 5672
_CONNECTION_STRING = "JSWORKER_SERVICEBUS_CONNECTION_STRING"
_ENDPOINT = "Correct its part Endpoint=sb://HOST:PORT"
_AS_WANTED = (
    "--lock-duration PT1M --max-delivery-count 20 --enable-dead-lettering-on-message-expiration true "
    "--enable-duplicate-detection true --duplicate-detection-history-time-window PT1H"
)


@dataclass(frozen=True)
class Namespace:
    """Where it is; ``is_emulator`` says that it is spoken to without TLS, and that no ``az`` knows it."""

    host: str
    port: int
    is_emulator: bool

    @property
    def name(self) -> str:
        """Its name on Azure."""
        return self.host.partition(".")[0]

    def show(self, entity: Entity) -> str:
        """The command that shows how an entity is set."""
        return self._az("show", entity)

    def change(self, entity: Entity, option: str, value: str) -> str:
        """The command that sets one thing anew; ``option`` is that of ``az servicebus``."""
        if self.is_emulator:
            words = option.removeprefix("--").replace("-", " ")
            return f"Set {words} to {value} where the emulator's entities are declared, and start it again"
        return f"{self._az('update', entity)} {option} {value}"

    def create(self, entity: Entity) -> str:
        """The command that makes an entity as the worker wants it."""
        if self.is_emulator:
            return f"Declare {entity} where the emulator's entities are declared, and start it again"
        if entity.is_topic:
            return f"{self._az('create', entity)} --enable-duplicate-detection true"
        if subscription_of(entity.name):
            return f"{self._az('create', entity)} --lock-duration PT1M --max-delivery-count 20"
        return f"{self._az('create', entity)} {_AS_WANTED}"

    def make_anew(self, entity: Entity) -> str:
        """How to set what cannot be changed."""
        if self.is_emulator:
            return self.create(entity)
        return (
            "It is set once, when the entity is made: let it run empty, then "
            f"{self._az('delete', entity)} && {self.create(entity)}"
        )

    def scope(self, entity: Entity) -> str:
        """What a role on an entity is given on, a word for the shell."""
        shown = f"az servicebus namespace show --resource-group GROUP --name {quote(self.name)}"
        root = f'"$({shown} --query id --output tsv)"'
        if names := subscription_of(entity.name):
            return f"{root}/topics/{quote(names[0])}/subscriptions/{quote(names[1])}"
        kind = "topics" if entity.is_topic else "queues"
        return f"{root}/{kind}/{quote(entity.name)}"

    def keys(self) -> str:
        """What shows a connection string with all rights."""
        if self.is_emulator:
            return "that of the emulator itself; of the local stack: jsworker local env"
        return (
            "az servicebus namespace authorization-rule keys list --resource-group GROUP "
            f"--namespace-name {quote(self.name)} --name RootManageSharedAccessKey "
            "--query primaryConnectionString --output tsv"
        )

    def _az(self, verb: str, entity: Entity) -> str:
        where = f"--resource-group GROUP --namespace-name {quote(self.name)}"
        if names := subscription_of(entity.name):
            topic, name = map(quote, names)
            return f"az servicebus topic subscription {verb} {where} --topic-name {topic} --name {name}"
        kind = "topic" if entity.is_topic else "queue"
        return f"az servicebus {kind} {verb} {where} --name {quote(entity.name)}"


def namespace_of(settings: ClientSettings) -> Namespace:
    """The namespace that the settings lead to, by the port that the SDK takes.

    Raises:
        ConfigurationFault: the connection string leads nowhere.
    """
    secret = settings.servicebus_connection_string
    text = secret.get_secret_value() if secret else ""
    split = urlsplit(f"//{host_of(text) if text else settings.servicebus_namespace}")
    plain = bool(text) and is_emulator(text)
    if not split.hostname:
        raise ConfigurationFault(f"{_CONNECTION_STRING} names no endpoint", _ENDPOINT)
    try:
        return Namespace(split.hostname, (split.port or PLAIN_PORT) if plain else TLS_PORT, plain)
    except ValueError as error:
        raise ConfigurationFault(
            f"{_CONNECTION_STRING} has an endpoint with a port there cannot be", _ENDPOINT
        ) from error
