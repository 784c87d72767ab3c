"""Whether a queue or topic can be used: links are opened to it, and nothing is taken or sent over them.

The right is asked for when a link is opened. One to receive has no credit then, so it takes no message from
anybody.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Literal

from azure.core.exceptions import ClientAuthenticationError
from azure.servicebus.exceptions import (
    MessagingEntityDisabledError,
    MessagingEntityNotFoundError,
    ServiceBusAuthenticationError,
    ServiceBusAuthorizationError,
    ServiceBusError,
)

from worker.doctor.finding import Finding
from worker.doctor.namespace import namespace_of
from worker.doctor.roles import grant
from worker.doctor.sign_in import SERVICE_BUS_SCOPE
from worker.link import closed, is_about_sessions, receiver_of

if TYPE_CHECKING:
    from azure.servicebus.aio import ServiceBusClient, ServiceBusReceiver, ServiceBusSender

    from worker.doctor.context import Context
    from worker.doctor.entities import Entity

OPEN_SECONDS = 15.0
MOST_OF_A_MESSAGE = 300
Right = Literal["Listen", "Send"]
_CHECKS = {"Listen": "queue-receivable", "Send": "queue-sendable"}
_VERBS = {"Listen": "received from", "Send": "sent to"}
_ROLES = {"Listen": "Azure Service Bus Data Receiver", "Send": "Azure Service Bus Data Sender"}
_REFUSALS = (ServiceBusAuthenticationError, ServiceBusAuthorizationError, ClientAuthenticationError)


async def opened(context: Context, client: ServiceBusClient, entity: Entity) -> list[Finding]:
    """Open the links that the worker needs to an entity; what came of it."""
    wanted: tuple[tuple[Right, bool], ...] = (("Listen", entity.received), ("Send", entity.sent))
    opening = [_opened(context, client, entity, right) for right, is_wanted in wanted if is_wanted]
    found = {finding.check: finding for finding in await asyncio.gather(*opening)}
    others = [finding for check, finding in found.items() if check not in _CHECKS.values()]
    return others or list(found.values())  # what is not about a right hinders the other link, too


async def _opened(context: Context, client: ServiceBusClient, entity: Entity, right: Right) -> Finding:
    link = _link(client, entity, right)
    try:
        async with asyncio.timeout(OPEN_SECONDS):
            await link.__aenter__()
    except (*_REFUSALS, ServiceBusError, OSError, ValueError, AttributeError, TimeoutError) as error:
        # ValueError and AttributeError: the SDK's words for a link that was shut down under it
        return await _failure(context, entity, right, error)
    finally:
        await closed(link)
    return _finding(entity, _CHECKS[right], "ok", f"{entity} can be {_VERBS[right]}")


def _link(client: ServiceBusClient, entity: Entity, right: Right) -> ServiceBusReceiver | ServiceBusSender:
    if right == "Listen":
        return receiver_of(client, entity.name)
    return client.get_topic_sender(entity.name) if entity.is_topic else client.get_queue_sender(entity.name)


async def _failure(context: Context, entity: Entity, right: Right, error: Exception) -> Finding:
    namespace = namespace_of(context.settings)
    if isinstance(error, MessagingEntityNotFoundError):
        message = f"{entity} of {entity.setting} is not there"
        return _finding(entity, "queue-exists", "failed", message, namespace.create(entity))
    if isinstance(error, MessagingEntityDisabledError):
        remedy = namespace.change(entity, "--status", "Active")
        return _finding(entity, "queue-status", "failed", f"{entity} is switched off", remedy)
    if is_about_sessions(error):
        message = f"{entity} requires sessions, which the worker does not have"
        return _finding(entity, "queue-sessions", "failed", message, namespace.make_anew(entity))
    if isinstance(error, _REFUSALS):
        message = f"{entity} may not be {_VERBS[right]}: {_words(error)}"
        return _finding(entity, _CHECKS[right], "failed", message, await _permission(context, entity, right))
    message = f"no link to {entity}: {_words(error)}"
    return _finding(entity, "queue-links", "failed", message, "Try again: it may pass")


async def _permission(context: Context, entity: Entity, right: Right) -> str:
    namespace = namespace_of(context.settings)
    if context.settings.servicebus_connection_string:
        return f"Use a key whose policy has the rights Listen and Send, as: {namespace.keys()}"
    return await grant(context, _ROLES[right], SERVICE_BUS_SCOPE, namespace.scope(entity))


def _finding(
    entity: Entity, check: str, status: Literal["ok", "failed"], message: str, remedy: str | None = None
) -> Finding:
    return Finding(check, "service-bus", status, message, remedy, {entity.kind: entity.name})


def _words(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= MOST_OF_A_MESSAGE else f"{text[:MOST_OF_A_MESSAGE]}…"
