"""The check that fills the pool: how many sessions it takes, what it says then, how soon a slot is free."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from worker.doctor.environment import pool_change
from worker.doctor.finding import Finding
from worker.doctor.pool import allocated
from worker.doctor.pool_wire import wire_of
from worker.doctor.redaction import redacted
from worker.doctor.session_answers import new_identifier, removed
from worker.doctor.session_code import HELLO

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from worker.doctor.context import Context
    from worker.doctor.pool_wire import Answer, PoolWire

AT_A_TIME = 16
LOOK_SECONDS = 0.25
FREE_SECONDS = 60.0
BODY_CHARS = 400


@dataclass(frozen=True)
class Filled:
    """What came of filling a pool.

    Attributes:
        before: sessions that were there before.
        taken: sessions that were allocated, of those asked for.
        refusal: the first answer that was none; None if there was room for one more than the setting.
        free_seconds: how long after a deletion there was room again; None if there was none.
    """

    before: int
    taken: int
    refusal: Answer | None
    free_seconds: float | None


async def pool_size(context: Context) -> list[Finding]:
    """Allocate one session more than MAX_SESSIONS, and delete them all."""
    async with wire_of(context) as wire, _sessions(context) as sessions:
        before = len(await allocated(context))
        answers = await _asked_for(wire, sessions[:-1])
        refusals = [answer for answer in answers if answer.response.is_error]
        taken = len(answers) - len(refusals)
        last = refusals[0] if refusals else await wire.execute(sessions[-1], HELLO)
        taken += last.response.is_success
        refusal = None if last.response.is_success else last
        free = await _free_again(wire, sessions) if refusal and not refusals else None
    settings = context.settings
    return [judged(settings.max_sessions, Filled(before, taken, refusal, free), settings.pool_endpoint)]


async def _asked_for(wire: PoolWire, sessions: list[str]) -> list[Answer]:
    """Allocate sessions, a few at a time."""
    room = asyncio.Semaphore(AT_A_TIME)

    async def one(session: str) -> Answer:
        async with room:
            return await wire.execute(session, HELLO)

    return await asyncio.gather(*map(one, sessions))


async def _free_again(wire: PoolWire, sessions: list[str]) -> float | None:
    """The seconds from the deletion of the first session to the success of the last."""
    clock = asyncio.get_running_loop().time
    await wire.delete(sessions[0])
    begin = clock()
    while clock() - begin < FREE_SECONDS:
        if (await wire.execute(sessions[-1], HELLO)).response.is_success:
            return clock() - begin
        await asyncio.sleep(LOOK_SECONDS)
    return None


@asynccontextmanager
async def _sessions(context: Context) -> AsyncIterator[list[str]]:
    """One identifier more than sessions may be used; all are deleted at the end."""
    sessions = [new_identifier() for _ in range(context.settings.max_sessions + 1)]
    is_broken_off = True
    try:
        yield sessions
        is_broken_off = False
    finally:
        for at in range(0, len(sessions), AT_A_TIME):
            some = sessions[at : at + AT_A_TIME]
            await asyncio.gather(*(removed(context, one, is_broken_off=is_broken_off) for one in some))


def judged(wanted: int, filled: Filled, endpoint: str) -> Finding:
    """What is to be said of it."""
    facts: dict[str, object] = {
        "max_sessions": wanted,
        "sessions_before": filled.before,
        "sessions_taken": filled.taken,
        "free_seconds": filled.free_seconds and round(filled.free_seconds, 2),
    }
    if not filled.refusal:
        message = f"the pool has room for more than the {wanted} sessions of MAX_SESSIONS"
        return Finding("pool-size", "pool", "info", message, facts=facts)
    facts |= {"status": filled.refusal.status, "body": redacted(filled.refusal.text)[:BODY_CHARS]}
    if filled.taken == wanted:
        free = "never" if filled.free_seconds is None else f"{filled.free_seconds:.1f} s after a deletion"
        message = (
            f"the pool takes {wanted} sessions; it says {filled.refusal.status} then, and has room {free}"
        )
        return Finding("pool-size", "pool", "ok", message, facts=facts)
    message = (
        f"the pool takes {filled.taken} sessions besides {filled.before} that were there, and MAX_SESSIONS "
        f"says {wanted}: jobs wait for sessions that are not to be had"
    )
    change = pool_change("--max-sessions", wanted, endpoint)
    remedy = f"export JSWORKER_MAX_SESSIONS={max(1, filled.taken + filled.before)}; or: {change}"
    return Finding("pool-size", "pool", "warning", message, remedy, facts)
