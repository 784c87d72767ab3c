"""What the answers about one session mean to the doctor."""

from __future__ import annotations

import asyncio
import json
import secrets
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any

import httpx

from worker.doctor.finding import Finding
from worker.doctor.pool_wire import NEWEST, refusal_of, wire_of
from worker.faults import CapacityFault, ConfigurationFault, ExecutionLost, InfrastructureFault, ServiceFault
from worker.session_answers import execution_of

if TYPE_CHECKING:
    from worker.doctor.context import Context
    from worker.doctor.pool_wire import Answer
    from worker.ran import Execution
    from worker.settings import WorkerSettings

REMOVAL_SECONDS = 20.0
_PYTHON = ("NameError", "Traceback")
_STATE = (
    "az containerapp sessionpool show --name POOL --resource-group GROUP --query properties.provisioningState"
)


def new_identifier() -> str:
    """An identifier that nobody else has; workers do not take it for one of theirs."""
    return f"doctor-{secrets.token_hex(16)}"


async def removed(context: Context, session: str) -> None:
    """Delete a session, if the pool lets it, in bounded time."""
    with suppress(ServiceFault, TimeoutError):
        async with asyncio.timeout(REMOVAL_SECONDS), wire_of(context) as wire:
            await wire.delete(session)


async def execution(context: Context, answer: Answer) -> Execution:
    """What came of an execution that was to succeed.

    Raises:
        ServiceFault: it did not; what to do about it.
    """
    if answer.response.is_error:
        raise await _refusal(context, answer)
    try:
        ran = execution_of(answer.response)
    except ExecutionLost as error:
        raise InfrastructureFault(
            f"{error}: the answer is that of no session pool, or cut on its way"
        ) from error
    if any(word in ran.stderr for word in _PYTHON):
        raise ConfigurationFault(
            "the pool runs Python, not JavaScript",
            "az containerapp sessionpool create --container-type NodeLTS …, and its endpoint in "
            "JSWORKER_POOL_ENDPOINT",
        )
    if ran.outcome != "succeeded":
        raise ConfigurationFault(
            f"a program of one line did not run: {ran.outcome} {ran.stderr[:200]}", _STATE
        )
    return ran


async def _refusal(context: Context, answer: Answer) -> ServiceFault:
    if answer.status == httpx.codes.UNAUTHORIZED:  # with this very token the sessions were listed
        return ConfigurationFault(
            f"the session pool does not know the version {context.settings.pool_api_version} (401)",
            f"export JSWORKER_POOL_API_VERSION={NEWEST}",
        )
    fault = await refusal_of(context, answer)
    if not isinstance(fault, CapacityFault) and answer.status != httpx.codes.NOT_FOUND:
        return fault
    return ConfigurationFault(
        f"the session pool is full ({answer.status}): there is no session to try anything in",
        "Wait until the jobs that run have ended, or for the cooldown; or: az containerapp sessionpool "
        "update --name POOL --resource-group GROUP --max-sessions NUMBER",
    )


def said_by(ran: Execution) -> dict[str, Any]:
    """The line of JSON that a program of the doctor printed; empty if it printed something else."""
    try:
        document = json.loads(ran.stdout)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def allocation(seconds: float, limit: float) -> list[Finding]:
    """A warning, if it took longer than is usual to get a session."""
    if seconds <= limit:
        return []
    message = f"it took {seconds:.1f} s to get a new session; each job with a fresh one waits as long"
    remedy = (
        "Keep sessions from job to job: export JSWORKER_SESSION_POLICY=keyed; or ask for a pool elsewhere"
    )
    facts = {"allocation_seconds": round(seconds, 3)}
    return [Finding("pool-allocation", "pool", "warning", message, remedy, facts)]


def cooldown_of(answer: Answer) -> float | None:
    """The seconds without use after which a session expires, by the pool's record of one; None if unsaid."""
    document = answer.document()
    try:
        ends, used = (datetime.fromisoformat(str(document[name])) for name in ("expireAt", "lastAccessedAt"))
        return (ends - used).total_seconds()
    except (KeyError, ValueError, TypeError):
        return None


def undeletable(answer: Answer, settings: WorkerSettings) -> Finding:
    """That each session occupies the pool for the cooldown, and what that comes to."""
    cooldown = settings.session_cooldown_seconds
    a_minute = settings.max_sessions * 60 / max(cooldown, 1)
    return Finding(
        "pool-release",
        "pool",
        "failed",
        f"the pool does not delete sessions ({answer.status}): with {settings.max_sessions} sessions and a "
        f"cooldown of {cooldown:g} s it serves at most {a_minute:.1f} jobs a minute that want a fresh one",
        f"export JSWORKER_POOL_API_VERSION={NEWEST}; if it is that already: export "
        "JSWORKER_SESSION_POLICY=shared, where programs may see what others leave, or a shorter cooldown",
        {"status": answer.status},
    )
