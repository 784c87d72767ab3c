"""Checks of the storage account: who gets in, and whether its containers are there and private."""

from __future__ import annotations

from contextlib import suppress
from shlex import quote
from typing import TYPE_CHECKING

from worker.doctor.check import Check
from worker.doctor.finding import Finding
from worker.doctor.hosts import storage_host
from worker.doctor.roles import account_of
from worker.doctor.sign_in import token_storage
from worker.doctor.storage_account import ContainerMissing, account_url, container_of
from worker.faults import ConfigurationFault, InfrastructureFault

if TYPE_CHECKING:
    from worker.doctor.context import Context


async def storage_access(context: Context) -> list[Finding]:
    """See whether there is a way in, at the container of results, be it there or not."""
    with suppress(ContainerMissing):  # which is told by the check of it
        await _public_access(context, context.settings.results_container)
    return [Finding("storage-access", "storage", "ok", "the account lets the worker in")]


async def results_container(context: Context) -> list[Finding]:
    """Look at the container of results."""
    name = context.settings.results_container
    public = await _public_access(context, name)
    found = [Finding("results-container", "storage", "ok", f"the container {name!r} is there")]
    return [*found, privacy(context, name, public)]


async def code_containers(context: Context) -> list[Finding]:
    """Look whether blobs can be read from each container of code; all that is wrong is told."""
    return [
        finding for name in context.settings.code_containers for finding in await _readable(context, name)
    ]


async def _readable(context: Context, name: str) -> list[Finding]:
    facts = {"container": name}
    try:
        async with container_of(context, name) as container:
            async for _ in container.list_blobs(results_per_page=1):
                break
        public = await _public_access(context, name)
    except ConfigurationFault as fault:
        message = str(fault).removesuffix(f". {fault.remedy}")
        return [Finding("code-container", "storage", "failed", message, fault.remedy, facts)]
    except InfrastructureFault as fault:
        return [Finding("code-container", "storage", "failed", str(fault), "Try again: it may pass", facts)]
    well = Finding("code-container", "storage", "ok", f"the container {name!r} can be read", facts=facts)
    return [well] if public is None else [well, privacy(context, name, public)]


async def _public_access(context: Context, name: str) -> str | None:
    """What anybody may read of a container without signing in: ``blob``, ``container``, or None."""
    async with container_of(context, name) as container:
        properties = await container.get_container_properties()
    return str(properties.public_access) if properties.public_access else None


def privacy(context: Context, name: str, public: str | None) -> Finding:
    """Whether a container is private, by what anybody may read of it."""
    facts = {"container": name, "public_access": public}
    if public is None:
        return Finding(
            "private-container", "storage", "ok", f"the container {name!r} is private", facts=facts
        )
    account = quote(account_of(account_url(context.settings)))
    return Finding(
        "private-container",
        "storage",
        "warning",
        f"anybody can read the container {name!r} without signing in (public access: {public})",
        f"az storage container set-permission --account-name {account} --name {quote(name)} "
        "--public-access off --auth-mode key",
        facts,
    )


CHECKS = (
    Check(storage_access, "storage", needs=(storage_host, token_storage), seconds=45),
    Check(results_container, "storage", needs=(storage_access,), seconds=45),
    Check(code_containers, "storage", needs=(storage_access,), seconds=60),
)
