"""The check of the pool's address, which is easily taken from the wrong place."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from worker.doctor.check import Check
from worker.doctor.environment import pool_command
from worker.doctor.finding import Finding

if TYPE_CHECKING:
    from worker.doctor.context import Context

_SAID = {
    "portal.azure.com": "is the page of the portal",
    "management.azure.com": "is the address by which the pool is managed",
}
_CALLS = ("/executions", "/code/execute", "/files", "/session", "/listSessions", "/metadata")


async def pool_address(context: Context) -> list[Finding]:
    """See whether the endpoint is that of a data plane."""
    endpoint = context.settings.pool_endpoint
    mistake = _mistake(endpoint)
    if not mistake:
        host = urlsplit(endpoint).hostname
        return [Finding("pool-address", "pool", "ok", f"the endpoint is one of a session pool, at {host}")]
    command = pool_command("poolManagementEndpoint", endpoint)
    return [
        Finding(
            "pool-address",
            "pool",
            "failed",
            f"JSWORKER_POOL_ENDPOINT {mistake}, not the pool's poolManagementEndpoint",
            f'export JSWORKER_POOL_ENDPOINT="$({command})"',
        )
    ]


def _mistake(endpoint: str) -> str | None:
    split = urlsplit(endpoint)
    if said := _SAID.get(split.hostname or ""):
        return said
    if "/providers/" in split.path or split.fragment:
        return "is the id of the resource"
    if split.query or split.path.endswith(_CALLS):
        return "is the address of one of its calls"
    return None


CHECKS = (Check(pool_address, "pool"),)
