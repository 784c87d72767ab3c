"""Checks of the sign-in with Entra: a token for each service that has no key."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from azure.core.exceptions import AzureError

from worker.doctor.check import Check
from worker.doctor.finding import Finding
from worker.doctor.identity import sign_in
from worker.tokens import SCOPE as POOL_SCOPE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import SecretStr

    from worker.doctor.context import Context
    from worker.settings import WorkerSettings

SERVICE_BUS_SCOPE = "https://servicebus.azure.net/.default"
STORAGE_SCOPE = "https://storage.azure.com/.default"
SECONDS = 60.0  # a chain of credentials asks one after another, some of them over the network
_REASON = re.compile(r"AADSTS\d+[^\n]*")
_ABOUT_THE_AUDIENCE = ("AADSTS500011", "AADSTS65001", "AADSTS650057", "AADSTS650052")
_SIGN_IN = (
    "On a desk: az login; on Azure: az containerapp identity assign --name APP --resource-group GROUP "
    "--system-assigned  # or set AZURE_CLIENT_ID to the client id of the identity that the app has"
)


async def credential(context: Context) -> list[Finding]:
    """Say who signs in, by the first token that is to be had."""
    scopes = [scope for scope, key in _audiences(context.settings) if not key]
    if not scopes or not context.credential:
        return [Finding("credential", "sign-in", "ok", "no sign-in: each service has a key")]
    try:
        who = await sign_in(context.credential, scopes[0])
    except AzureError as error:
        if any(code in str(error) for code in _ABOUT_THE_AUDIENCE):
            return [Finding("credential", "sign-in", "ok", "signed in, but not for every service")]
        return [_no_sign_in(error)]
    facts = {"credential": who.kind, "object_id": who.object_id, "tenant": who.tenant}
    return [Finding("credential", "sign-in", "ok", f"signed in: {who}", facts=facts)]


async def token_service_bus(context: Context) -> list[Finding]:
    """Get a token for Service Bus, if it has no key."""
    key = context.settings.servicebus_connection_string
    return await _token(context, "token-service-bus", "Service Bus", SERVICE_BUS_SCOPE, key)


async def token_storage(context: Context) -> list[Finding]:
    """Get a token for storage, if it has no key."""
    key = context.settings.storage_connection_string
    return await _token(context, "token-storage", "storage", STORAGE_SCOPE, key)


async def token_pool(context: Context) -> list[Finding]:
    """Get a token for the pool, if none is set."""
    return await _token(context, "token-pool", "the session pool", POOL_SCOPE, context.settings.pool_token)


async def _token(
    context: Context, check: str, service: str, scope: str, key: SecretStr | None
) -> list[Finding]:
    if key or not context.credential:
        return [Finding(check, "sign-in", "ok", f"{service} has a key", facts={"key": True})]
    try:
        who = await sign_in(context.credential, scope)
    except AzureError as error:
        message = f"no token for {service}: {_reason(error)}"
        remedy = f"Let an administrator of the tenant see to it that it has the resource {scope[:-9]}"
        return [Finding(check, "sign-in", "failed", message, remedy)]
    return [Finding(check, "sign-in", "ok", f"a token for {service}, by {who.kind}", facts={"key": False})]


def _no_sign_in(error: AzureError) -> Finding:
    return Finding(
        "credential",
        "sign-in",
        "failed",
        f"no way to sign in worked: {_reason(error)}",
        _SIGN_IN,
        {"tried": dict(_tried(error))},
    )


def _reason(error: AzureError) -> str:
    """What Entra says, else what the last credential said that was tried in earnest."""
    text = str(error)
    if found := _REASON.search(text):
        return found[0]
    tried = [f"{name}: {reason}" for name, reason in _tried(error)]
    return "; ".join(tried) or text.partition("\n")[0]


def _tried(error: AzureError) -> Iterator[tuple[str, str]]:
    """The credentials of the chain with the first sentence of why each did not sign in."""
    for line in str(error).splitlines():
        name, colon, reason = line.strip().partition(": ")
        if colon and name.endswith("Credential"):
            yield name, reason.partition(". ")[0]


def _audiences(settings: WorkerSettings) -> tuple[tuple[str, SecretStr | None], ...]:
    return (
        (SERVICE_BUS_SCOPE, settings.servicebus_connection_string),
        (STORAGE_SCOPE, settings.storage_connection_string),
        (POOL_SCOPE, settings.pool_token),
    )


CHECKS = (
    Check(credential, "sign-in", seconds=SECONDS),
    Check(token_service_bus, "sign-in", needs=(credential,), seconds=SECONDS),
    Check(token_storage, "sign-in", needs=(credential,), seconds=SECONDS),
    Check(token_pool, "sign-in", needs=(credential,), seconds=SECONDS),
)
