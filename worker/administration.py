"""Adapter over the administration client of Azure Service Bus: reads properties and counts, changes nothing.

The client speaks HTTPS to the namespace. The development emulator and the local stack answer the same API by
HTTP on a port of its own: for them the client gets a transport that leaves TLS out, and all else is the same.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    ResourceNotFoundError,
)
from azure.core.pipeline.transport import AioHttpTransport
from azure.servicebus.aio.management import ServiceBusAdministrationClient

from worker.connection_string import at_host
from worker.faults import (
    CapacityFault,
    ConfigurationFault,
    EntityMissing,
    InfrastructureFault,
    PropertiesHidden,
)
from worker.lane import subscription_of
from worker.queue_properties import QueueCounts, QueueProperties, TopicProperties

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine, Iterator

    from azure.core.credentials_async import AsyncTokenCredential

    from worker.settings import ClientSettings

CALL_SECONDS = 20.0
CONNECT_SECONDS = 5.0
MEGABYTE = 1 << 20
MOST_OF_A_MESSAGE = 200
_FOR_EVER = timedelta(days=3650)  # the service's own word for it is 29,000 years
_FORBIDDEN, _THROTTLED = 403, 429
T = TypeVar("T")


class Administration:
    """Reads how the entities of a namespace are set and what they hold.

    All calls raise:
        EntityMissing: there is no such entity, or it is of another kind.
        PropertiesHidden: they may not be read with this key or identity.
        ServiceFault: in any of its other kinds.
    """

    def __init__(self, client: ServiceBusAdministrationClient) -> None:
        self._client = client

    async def queue(self, name: str) -> QueueProperties:
        """How a queue or subscription is set."""
        if names := subscription_of(name):
            found: Any = await _answer(name, self._client.get_subscription(*names))
        else:
            found = await _answer(name, self._client.get_queue(name))
        with _mapped(name):
            return _queue(name, found)

    async def topic(self, name: str) -> TopicProperties:
        """How a topic is set."""
        found = await _answer(name, self._client.get_topic(name))
        with _mapped(name):
            return TopicProperties(name, _window(found), _life(found), _text(found.status), _max_size(found))

    async def queue_counts(self, name: str) -> QueueCounts:
        """What a queue or subscription holds."""
        if names := subscription_of(name):
            return _counts(await _answer(name, self._client.get_subscription_runtime_properties(*names)))
        return _counts(await _answer(name, self._client.get_queue_runtime_properties(name)))

    async def topic_counts(self, name: str) -> QueueCounts:
        """What a topic itself holds."""
        return _counts(await _answer(name, self._client.get_topic_runtime_properties(name)))


@asynccontextmanager
async def open_administration(
    settings: ClientSettings, credential: AsyncTokenCredential | None
) -> AsyncIterator[Administration]:
    """Connect to the management API of the settings' namespace; nothing is sent before it is asked."""
    options: dict[str, Any] = {"retry_total": 1, "connection_timeout": CONNECT_SECONDS}
    url, secret = settings.management_url, settings.servicebus_connection_string
    scheme, _, host = url.partition("://")
    if scheme == "http":
        options["transport"] = _WithoutTls(connection_timeout=CONNECT_SECONDS)
    if secret:
        text = at_host(secret.get_secret_value(), host)
        client = ServiceBusAdministrationClient.from_connection_string(text, **options)
    else:
        client = ServiceBusAdministrationClient(host, credential, **options)  # type: ignore[arg-type] # there is one
    async with client:
        yield Administration(client)


class _WithoutTls(AioHttpTransport):  # type: ignore[misc]  # azure-core gives it without a type
    """Sends by HTTP what the client, which knows nothing else, addresses by HTTPS."""

    async def send(self, request: Any, **options: Any) -> Any:  # noqa: ANN401 - as azure-core has it
        request.url = request.url.replace("https://", "http://", 1)
        return await super().send(request, **options)


async def _answer(name: str, call: Coroutine[Any, Any, T]) -> T:
    with _mapped(name):
        async with asyncio.timeout(CALL_SECONDS):
            return await call


@contextmanager
def _mapped(name: str) -> Iterator[None]:
    """Turn the SDK's errors into the faults of ``worker.faults``."""
    try:
        yield
    except ResourceNotFoundError as error:
        raise EntityMissing(
            f"there is no {name!r} in the namespace", "Create it, or correct the setting"
        ) from error
    except AttributeError as error:  # the SDK's word for a topic where a queue was asked for, or the reverse
        raise EntityMissing(
            f"{name!r} is of another kind: a topic is no queue, nor the reverse", "Correct the setting"
        ) from error
    except ClientAuthenticationError as error:
        raise _refused(name, error) from error
    except HttpResponseError as error:
        raise _failed(name, error) from error
    except (AzureError, OSError, TimeoutError, ValueError, TypeError, OverflowError) as error:
        said = f"{type(error).__name__} {error}"[:MOST_OF_A_MESSAGE]  # the SDK tells whole answers
        raise InfrastructureFault(f"the management API of Service Bus is out of reach: {said}") from error


def _failed(name: str, error: HttpResponseError) -> Exception:
    if error.status_code == _FORBIDDEN:
        return _refused(name, error)
    said = error.message[:MOST_OF_A_MESSAGE]
    if error.status_code == _THROTTLED:
        return CapacityFault(f"the management API of Service Bus throttles: {said}")
    return InfrastructureFault(f"the management API of Service Bus failed: {said}")


def _refused(name: str, error: HttpResponseError) -> ConfigurationFault:
    if error.status_code is None:
        return ConfigurationFault(
            f"no token for Service Bus: {error.message}", "Sign in (az login), or give a managed identity"
        )
    said = f": {error.message[:MOST_OF_A_MESSAGE]}" if error.status_code == _FORBIDDEN else ""
    return PropertiesHidden(
        f"the properties of {name!r} may not be read ({error.status_code}{said})",
        "Reading them takes a key with the right Manage, or the role Azure Service Bus Data Owner; "
        "the worker itself needs neither",
    )


def _queue(name: str, found: Any) -> QueueProperties:  # noqa: ANN401 - one of two kinds that share no class
    return QueueProperties(
        name=name,
        lock_seconds=found.lock_duration.total_seconds(),
        max_delivery_count=int(found.max_delivery_count),
        duplicate_window_seconds=_window(found),
        time_to_live_seconds=_life(found),
        dead_lettering_on_expiration=bool(found.dead_lettering_on_message_expiration),
        requires_session=bool(found.requires_session),
        status=_text(found.status),
        max_size_bytes=_max_size(found),
        forward_to=found.forward_to or None,
    )


def _counts(found: Any) -> QueueCounts:  # noqa: ANN401 - one of three kinds that share no class
    return QueueCounts(
        active=getattr(found, "active_message_count", None) or 0,
        scheduled=getattr(found, "scheduled_message_count", None) or 0,
        dead_lettered=getattr(found, "dead_letter_message_count", None) or 0,
        transfer=getattr(found, "transfer_message_count", None) or 0,
        size_bytes=getattr(found, "size_in_bytes", None),
    )


def _window(found: Any) -> float | None:  # noqa: ANN401 - as above
    if not getattr(found, "requires_duplicate_detection", False):
        return None
    return float(found.duplicate_detection_history_time_window.total_seconds())


def _life(found: Any) -> float | None:  # noqa: ANN401 - as above
    life = found.default_message_time_to_live
    return None if life is None or life >= _FOR_EVER else float(life.total_seconds())


def _max_size(found: Any) -> int | None:  # noqa: ANN401 - as above
    megabytes = getattr(found, "max_size_in_megabytes", None)
    return None if megabytes is None else int(megabytes) * MEGABYTE


def _text(value: object) -> str:
    """A status is text, or one of the SDK's that is text as well."""
    return str(getattr(value, "value", value))
