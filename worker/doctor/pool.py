"""Checks of the session pool that allocate nothing: access, version, what runs code, what is allocated."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx

from worker.doctor.check import Check
from worker.doctor.finding import Finding
from worker.doctor.hosts import pool_host
from worker.doctor.pool_wire import LONG_STREAMS_SINCE, NEWEST, refusal_of, wire_of
from worker.doctor.sign_in import token_pool
from worker.faults import ExecutionLost, InfrastructureFault
from worker.session_answers import sessions_of

if TYPE_CHECKING:
    from worker.doctor.context import Context
    from worker.doctor.pool_wire import Answer

SHOWN_PACKAGES = 20
_UNSUPPORTED = frozenset({404, 405, 501})


async def pool_access(context: Context) -> list[Finding]:
    """List the sessions, which takes the role; tell a wrong version, which is refused like a wrong token."""
    version = context.settings.pool_api_version
    async with wire_of(context) as wire:
        answer = await wire.get("listSessions")
        if answer.status == httpx.codes.UNAUTHORIZED and wire.listing_version != NEWEST:
            other = await wire.get("listSessions", version=NEWEST)
            if other.response.is_success:
                return [_unknown_version(version)]
        if answer.response.is_error:
            raise await refusal_of(context, answer)
    facts = {"seconds": round(answer.seconds, 3)}
    found = [Finding("pool-access", "pool", "ok", "whoever signs in may use the pool", facts=facts)]
    return found if version >= LONG_STREAMS_SINCE else [*found, _old_version(version)]


async def pool_metadata(context: Context) -> list[Finding]:
    """See what runs the code, as far as the pool says."""
    async with wire_of(context) as wire:
        answer = await wire.get("metadata")
    if answer.status in _UNSUPPORTED:
        return [Finding("pool-metadata", "pool", "info", "the pool does not say what runs the code")]
    if answer.response.is_error:
        raise await refusal_of(context, answer)
    document = answer.document()
    packages = document.get("packages")
    count = len(packages) if isinstance(packages, list) else 0
    version = str(document.get("nodeVersion") or "of an unknown version")[:40]
    facts = {"node_version": version, "packages": count}
    message = f"Node {version.removeprefix('v')}, {count} packages installed"
    return [Finding("pool-metadata", "pool", "ok", message, facts=facts)]


async def pool_sessions(context: Context) -> list[Finding]:
    """Count what is allocated, and by whom as far as can be told."""
    async with wire_of(context) as wire:
        answer = await wire.get("listSessions")
    if answer.response.is_error:
        raise await refusal_of(context, answer)
    found = _identifiers(answer)
    ours = sum(identifier.startswith("jsw-") for identifier in found)
    facts = {"allocated": len(found), "of_workers": ours, "max_sessions": context.settings.max_sessions}
    if ours:
        message = (
            f"{len(found)} sessions are allocated, {ours} by workers: if none runs, they were left behind "
            "and go when a worker starts, or after the cooldown"
        )
        return [Finding("pool-sessions", "pool", "info", message, facts=facts)]
    message = f"{len(found)} sessions are allocated, none by workers"
    return [Finding("pool-sessions", "pool", "ok", message, facts=facts)]


def _identifiers(answer: Answer) -> list[str]:
    try:
        return sessions_of(answer.response).identifiers
    except ExecutionLost as error:
        raise InfrastructureFault(str(error)) from error


def _unknown_version(version: str) -> Finding:
    return Finding(
        "pool-api-version",
        "pool",
        "failed",
        f"the session pool does not know the version {version}, and answers 401 as to a wrong token",
        f"export JSWORKER_POOL_API_VERSION={NEWEST}",
        {"version": version},
    )


def _old_version(version: str) -> Finding:
    return Finding(
        "pool-api-version",
        "pool",
        "warning",
        f"the version {version} cuts each stream at 4096 characters without a word",
        f"export JSWORKER_POOL_API_VERSION={NEWEST}",
        {"version": version},
    )


CHECKS = (
    Check(pool_access, "pool", needs=(pool_host, token_pool), seconds=45),
    Check(pool_metadata, "pool", needs=(pool_access,), seconds=45),
    Check(pool_sessions, "pool", needs=(pool_access,), seconds=45),
)
