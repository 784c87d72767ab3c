"""Checks of one session's life: allocated by a first execution, used, deleted, and gone."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from worker.doctor.check import Check
from worker.doctor.finding import Finding
from worker.doctor.pool import pool_access
from worker.doctor.pool_size import pool_size
from worker.doctor.pool_wire import refusal_of, wire_of
from worker.doctor.session_answers import (
    UNSUPPORTED,
    cooldown_of,
    execution,
    new_identifier,
    removed,
    said_by,
)
from worker.doctor.session_code import HELLO, reach
from worker.doctor.session_findings import allocation, cooldown, egress, released, shape, undeletable

if TYPE_CHECKING:
    from worker.doctor.context import Context
    from worker.doctor.pool_wire import PoolWire

LOOK_SECONDS = 0.2
_GONE = frozenset({200, 202, 204, 404})


class Visit:
    """One session, made by ``pool_execution``, used by the checks after it, ended by ``pool_release``."""

    def __init__(self) -> None:
        self._identifier = new_identifier()
        self._is_deleted = False

    async def pool_execution(self, context: Context) -> list[Finding]:
        """Run a program in a new session, and say how long that took."""
        context.undoing.push_async_callback(self._remove, context)
        async with wire_of(context) as wire:
            answer = await wire.execute(self._identifier, HELLO)
        ran = await execution(context, answer)
        allocate = ran.allocate_ms / 1000 if ran.allocate_ms is not None else answer.seconds
        message = (
            f"a program ran in a new session, in {answer.seconds:.1f} s ({allocate:.1f} s to allocate it)"
        )
        times = {"allocation_seconds": round(allocate, 3), "seconds": round(answer.seconds, 3)}
        found = Finding("pool-execution", "pool", "ok", message, facts={**times, **said_by(ran)})
        limit = context.lines.allocation_seconds
        return [found, *shape(is_wrapped=wire.is_wrapped), *allocation(allocate, limit)]

    async def pool_egress(self, context: Context) -> list[Finding]:
        """See that programs get through to nobody."""
        async with wire_of(context) as wire:
            answer = await wire.execute(self._identifier, reach(context.lines.outside))
        reached = said_by(await execution(context, answer)).get("reached")
        return [egress(reached, context.settings.pool_endpoint)]

    async def pool_cooldown(self, context: Context) -> list[Finding]:
        """Compare the pool's cooldown with the setting."""
        async with wire_of(context) as wire:
            answer = await wire.get("session", identifier=self._identifier)
        return [cooldown(cooldown_of(answer), context.settings.session_cooldown_seconds)]

    async def pool_release(self, context: Context) -> list[Finding]:
        """Delete the session and see how soon it is gone."""
        clock = asyncio.get_running_loop().time
        async with wire_of(context) as wire:
            begin = clock()
            answer = await wire.delete(self._identifier)
            if answer.status in UNSUPPORTED:
                return [undeletable(answer, context.settings)]
            if answer.status not in _GONE:
                raise await refusal_of(context, answer)
            self._is_deleted = True
            is_gone = await self._gone(wire, begin + context.lines.release_seconds)
        return [released(clock() - begin, answer, is_gone=is_gone)]

    async def _gone(self, wire: PoolWire, until: float) -> bool:
        """Whether the session leaves the pool's records by a time of the loop's clock."""
        while (await wire.get("session", identifier=self._identifier)).response.is_success:
            if asyncio.get_running_loop().time() > until:
                return False
            await asyncio.sleep(LOOK_SECONDS)
        return True

    async def _remove(self, context: Context) -> None:
        if not self._is_deleted:
            await removed(context, self._identifier)


def checks(*, fill: bool) -> tuple[Check, ...]:
    """The checks of a session that is still to be made, and perhaps of as many as there may be."""
    visit = Visit()
    last = (Check(pool_size, "pool", needs=(visit.pool_release,), seconds=600),) if fill else ()
    return (
        Check(visit.pool_execution, "pool", needs=(pool_access,), seconds=120),
        Check(visit.pool_egress, "pool", needs=(visit.pool_execution,), seconds=60),
        Check(visit.pool_cooldown, "pool", needs=(visit.pool_execution,), seconds=45),
        Check(visit.pool_release, "pool", needs=(visit.pool_execution,), seconds=60),
        *last,
    )
