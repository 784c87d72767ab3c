"""What a pool answers about one session, read; what is no success becomes a fault with its remedy."""

from __future__ import annotations

import asyncio
import secrets
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any

import httpx

from worker.doctor.environment import pool_change, pool_command
from worker.doctor.pool_wire import NEWEST, refusal_of, wire_of
from worker.faults import CapacityFault, ConfigurationFault, ExecutionLost, InfrastructureFault, ServiceFault
from worker.session_answers import execution_of
from worker.strict_json import decode_json

if TYPE_CHECKING:
    from worker.doctor.context import Context
    from worker.doctor.pool_wire import Answer, PoolWire
    from worker.ran import Execution

REMOVAL_SECONDS = 20.0
MOST_SAID_CHARS = 4096  # a program of the doctor prints a few hundred
PAUSES = (1.0, 3.0)  # before a deletion is tried again; it takes as long to allocate a session
UNSUPPORTED = frozenset({405, 501})
_PYTHON = ("NameError", "Traceback")


def new_identifier() -> str:
    """An identifier that nobody else has; workers do not take it for one of theirs."""
    return f"doctor-{secrets.token_hex(16)}"


async def removed(context: Context, session: str, *, is_broken_off: bool = True) -> None:
    """Delete a session, if the pool lets it, in bounded time.

    Args:
        context: of the checks.
        session: its identifier.
        is_broken_off: whether a call may still be on its way that allocates the session only then.
    """
    pauses = iter(PAUSES)
    with suppress(TimeoutError):
        async with asyncio.timeout(REMOVAL_SECONDS), wire_of(context) as wire:
            while not await _deleted(wire, session, is_broken_off=is_broken_off):
                if (pause := next(pauses, None)) is None:
                    return
                await asyncio.sleep(pause)


async def _deleted(wire: PoolWire, session: str, *, is_broken_off: bool) -> bool:
    """Whether no more is to be done for a deletion: it is answered so, or not to be had at this pool."""
    try:
        answer = await wire.delete(session)
    except ServiceFault:
        return False
    if answer.status == httpx.codes.NOT_FOUND:
        return not is_broken_off
    return answer.response.is_success or answer.status in UNSUPPORTED


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
            "Set JSWORKER_POOL_ENDPOINT to the endpoint of a pool for it: az containerapp sessionpool create "
            "--name POOL --resource-group GROUP --container-type NodeLTS",
        )
    if ran.outcome != "succeeded":
        raise ConfigurationFault(
            f"a program of one line did not run: {ran.outcome} {ran.stderr[:200]}",
            pool_command("provisioningState", context.settings.pool_endpoint),
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
        "Wait until the jobs that run have ended, or for the cooldown; or: "
        + pool_change("--max-sessions", "NUMBER", context.settings.pool_endpoint),
    )


def said_by(ran: Execution) -> dict[str, Any]:
    """The line of JSON that a program of the doctor printed; empty if it printed something else."""
    try:
        document = decode_json(ran.stdout[:MOST_SAID_CHARS])
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def cooldown_of(answer: Answer) -> float | None:
    """The seconds without use after which a session expires, by the pool's record of one; None if unsaid."""
    document = answer.document()
    try:
        ends, used = (datetime.fromisoformat(str(document[name])) for name in ("expireAt", "lastAccessedAt"))
        return (ends - used).total_seconds()
    except (KeyError, ValueError, TypeError):
        return None
