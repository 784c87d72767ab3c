"""The command that gives a role, with the names filled in that are known."""

from __future__ import annotations

import re
from shlex import quote
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from azure.core.exceptions import AzureError

from worker.doctor.environment import pool_names
from worker.doctor.identity import Identity, sign_in

if TYPE_CHECKING:
    from worker.doctor.context import Context

BLOB_ROLE = "Storage Blob Data Contributor"
POOL_ROLE = "Azure ContainerApps Session Executor"
_POOL = re.compile(r"/subscriptions/[^/]+/resourceGroups/[^/]+/sessionPools/[^/]+")
_WAIT = "  # it takes minutes to work"


async def grant(context: Context, role: str, resource: str, scope: str) -> str:
    """The command that gives the role on a scope of the resource to whoever signs in.

    Args:
        context: of the checks.
        role: the role's name.
        resource: the audience of the tokens by which the identity is known, as a scope of Entra.
        scope: where the role is given, a word for the shell.
    """
    who = await _who(context, resource)
    assignee = quote(who.object_id) if who and who.object_id else "OBJECT_ID"
    kind = "User" if who and who.is_user else "ServicePrincipal"
    return (
        f"az role assignment create --assignee-object-id {assignee} --assignee-principal-type {kind} "
        f'--role "{role}" --scope {scope}{_WAIT}'
    )


def container_scope(url: str, container: str) -> str:
    """The scope of a container as a word for the shell, by the URL of its account's blobs."""
    return (
        f'"$(az storage account show --name {quote(account_of(url))} --query id --output tsv)"'
        f"/blobServices/default/containers/{quote(container)}"
    )


def account_of(url: str) -> str:
    """The name of the account with this URL, which stands in the path where there are no names of hosts."""
    split = urlsplit(url)
    return split.path.strip("/") or (split.hostname or "ACCOUNT").partition(".")[0]


def pool_scope(endpoint: str) -> str:
    """The scope of a pool as a word for the shell; its endpoint has all its names."""
    found = _POOL.search(endpoint)
    if not found:
        return f'"$(az containerapp sessionpool show {pool_names(endpoint)} --query id --output tsv)"'
    return quote(found[0].replace("/sessionPools/", "/providers/Microsoft.App/sessionPools/"))


async def _who(context: Context, resource: str) -> Identity | None:
    try:
        return await sign_in(context.credential, resource) if context.credential else None
    except AzureError:
        return None
