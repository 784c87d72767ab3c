"""Checks of one session's life: allocated by a first execution, listed, deleted, and its slot free again."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import httpx

from worker.doctor.check import Check
from worker.doctor.environment import pool_command
from worker.doctor.finding import Finding
from worker.doctor.pool import pool_access
from worker.doctor.pool_wire import NEWEST, refusal_of, wire_of
from worker.doctor.session_code import HELLO, reach
from worker.doctor.session_findings import (
    allocation,
    cooldown_of,
    execution,
    new_identifier,
    removed,
    said_by,
    undeletable,
)

if TYPE_CHECKING:
    from worker.doctor.context import Context

LOOK_SECONDS = 0.2
COOLDOWN_TOLERANCE_SECONDS = 5.0
_GONE = frozenset({200, 202, 204, 404})
_UNSUPPORTED = frozenset({405, 501})


class Visit:
    """One session, made by ``pool_execution``, used by the checks after it, ended by ``pool_release``."""

    def __init__(self) -> None:
        self._identifier = new_identifier()
        self._is_wrapped = False
        self._is_deleted = False

    async def pool_execution(self, context: Context) -> list[Finding]:
        """Run a program in a new session, and say how long that took."""
        context.undoing.push_async_callback(self._remove, context)
        async with wire_of(context) as wire:
            answer = await wire.execute(self._identifier, HELLO)
            if answer.status == httpx.codes.BAD_REQUEST and "SessionPropertiesMissing" in answer.text:
                self._is_wrapped = True
                answer = await wire.execute(self._identifier, HELLO, wrapped=True)
        ran = await execution(context, answer)
        said = said_by(ran)
        allocate = ran.allocate_ms / 1000 if ran.allocate_ms is not None else answer.seconds
        facts: dict[str, object] = {
            "allocation_seconds": round(allocate, 3),
            "seconds": round(answer.seconds, 3),
            **said,
        }
        message = (
            f"a program ran in a new session, in {answer.seconds:.1f} s ({allocate:.1f} s to allocate it)"
        )
        found = [Finding("pool-execution", "pool", "ok", message, facts=facts)]
        return found + self._shape() + allocation(allocate, context.lines.allocation_seconds)

    async def pool_egress(self, context: Context) -> list[Finding]:
        """See that programs get through to nobody."""
        async with wire_of(context) as wire:
            code = reach(context.lines.outside)
            answer = await wire.execute(self._identifier, code, wrapped=self._is_wrapped)
        reached = [str(name) for name in said_by(await execution(context, answer)).get("reached", ())]
        if not reached:
            return [Finding("pool-egress", "pool", "ok", "programs get through to nobody outside")]
        command = pool_command("", context.settings.pool_endpoint).partition(" --query")[0]
        return [
            Finding(
                "pool-egress",
                "pool",
                "warning",
                f"programs can connect to {', '.join(reached)}: untrusted code can send out what it is given",
                f"{command.replace(' show ', ' update ')} --network-status EgressDisabled",
                {"reached": reached},
            )
        ]

    async def pool_cooldown(self, context: Context) -> list[Finding]:
        """Compare the pool's cooldown with the setting."""
        async with wire_of(context) as wire:
            answer = await wire.get("session", identifier=self._identifier)
        seconds = cooldown_of(answer)
        if seconds is None:
            return [Finding("pool-cooldown", "pool", "info", "the pool does not say when a session expires")]
        given = context.settings.session_cooldown_seconds
        facts = {"cooldown_seconds": round(seconds), "setting_seconds": given}
        if abs(seconds - given) <= COOLDOWN_TOLERANCE_SECONDS:
            return [Finding("pool-cooldown", "pool", "ok", f"the cooldown is {seconds:.0f} s", facts=facts)]
        return [
            Finding(
                "pool-cooldown",
                "pool",
                "warning",
                f"the pool's cooldown is {seconds:.0f} s, and SESSION_COOLDOWN_SECONDS says {given:g}",
                f"export JSWORKER_SESSION_COOLDOWN_SECONDS={seconds:.0f}",
                facts,
            )
        ]

    async def pool_release(self, context: Context) -> list[Finding]:
        """Delete the session and see how soon its slot is free."""
        clock = asyncio.get_running_loop().time
        async with wire_of(context) as wire:
            begin = clock()
            answer = await wire.delete(self._identifier)
            if answer.status in _UNSUPPORTED:
                return [undeletable(answer, context.settings)]
            if answer.status not in _GONE:
                raise await refusal_of(context, answer)
            self._is_deleted = True
            while is_there := (await wire.get("session", identifier=self._identifier)).response.is_success:
                if clock() - begin > context.lines.release_seconds:
                    break
                await asyncio.sleep(LOOK_SECONDS)
        seconds = clock() - begin
        facts = {"delete_seconds": round(answer.seconds, 3), "free_seconds": round(seconds, 3)}
        if is_there:
            message = f"a deleted session is still there after {seconds:.0f} s"
            remedy = (
                "Set JSWORKER_MAX_SESSIONS lower than the pool's maximum, by the sessions on their way out"
            )
            return [Finding("pool-release", "pool", "warning", message, remedy, facts)]
        message = f"a session is deleted, and gone from the pool's list, within {seconds:.1f} s"
        return [Finding("pool-release", "pool", "ok", message, facts=facts)]

    def _shape(self) -> list[Finding]:
        if not self._is_wrapped:
            return []
        message = (
            "the pool wants executions in the shape of the first preview; the worker finds out by itself"
        )
        remedy = f"Have the pool made anew, of the type NodeLTS, and use JSWORKER_POOL_API_VERSION={NEWEST}"
        return [Finding("pool-body-shape", "pool", "warning", message, remedy)]

    async def _remove(self, context: Context) -> None:
        if not self._is_deleted:
            await removed(context, self._identifier)


def checks() -> tuple[Check, ...]:
    """The checks of a session that has not been made yet; for one examination."""
    visit = Visit()
    return (
        Check(visit.pool_execution, "pool", needs=(pool_access,), seconds=120),
        Check(visit.pool_egress, "pool", needs=(visit.pool_execution,), seconds=60),
        Check(visit.pool_cooldown, "pool", needs=(visit.pool_execution,), seconds=45),
        Check(visit.pool_release, "pool", needs=(visit.pool_execution,), seconds=60),
    )
