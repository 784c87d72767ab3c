"""The kinds of values that settings have: what is read from a text, and what is refused."""

from __future__ import annotations

import ssl
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic_settings import NoDecode

from worker.destinations import Destination, parse_destinations
from worker.lane import Lane, parse_lanes, subscription_of
from worker.webhook_addresses import Network
from worker.webhook_signing import keys_of
from worker.webhook_url import host_pattern


def _split(value: object) -> object:
    return (
        tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value
    )


def _lanes(value: object) -> object:
    return parse_lanes(value) if isinstance(value, str) else value


def _sendable(name: str) -> str:
    if subscription_of(name):
        raise ValueError(
            "is a subscription, and nothing can be sent to one; QUEUES may name it, after a queue"
        )
    return name


def _usable_keys(value: SecretStr) -> SecretStr:
    keys_of(value.get_secret_value())
    return value


def _authorities(value: str) -> str:
    try:
        ssl.create_default_context(cafile=value)
    except OSError as error:
        raise ValueError(f"no certificates can be read from it: {error}") from None
    return value


def _destinations(value: object) -> object:
    return parse_destinations(value) if isinstance(value, str) else value


def _no_slash(value: str) -> str:
    return value.rstrip("/")


def _reachable(url: str) -> str:
    """A URL with a host and, if it has a port, one that there may be."""
    try:
        split = urlsplit(url)
        is_usable = split.hostname is not None and split.port != 0
        (split.hostname or "").encode("idna")
    except (ValueError, UnicodeError):
        is_usable = False
    if not is_usable:
        raise ValueError("has no host or port that can be connected to")
    return url


Destinations = Annotated[tuple[Destination, ...], NoDecode, BeforeValidator(_destinations)]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Bytes = Annotated[int, Field(ge=0)]
Url = Annotated[str, Field(pattern=r"^https?://"), AfterValidator(_no_slash), AfterValidator(_reachable)]
ManagementUrl = Annotated[str, AfterValidator(_no_slash), Field(pattern=r"^https?://[A-Za-z0-9.:\[\]_-]+$")]
List = BeforeValidator(_split)
Lanes = Annotated[tuple[Lane, ...], NoDecode, BeforeValidator(_lanes)]
QueueName = Annotated[str, AfterValidator(_sendable)]
SigningKeys = Annotated[SecretStr, AfterValidator(_usable_keys)]
Authorities = Annotated[str, AfterValidator(_authorities)]
Hosts = Annotated[tuple[Annotated[str, AfterValidator(host_pattern)], ...], NoDecode, List]
Networks = Annotated[tuple[Network, ...], NoDecode, List]
Containers = Annotated[tuple[str, ...], NoDecode, List, Field(min_length=1)]
