"""How long sessions are held by jobs: the worker's handing out of permits, worked out in advance.

The times of the service are those that the sessions API is known for.
"""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence

HOUR = 3600.0
Policy = Literal["fresh", "keyed", "shared"]


@dataclass(frozen=True)
class Pool:
    """A session pool.

    Attributes:
        sessions: its maximum.
        allocate_seconds: until a new session runs code; 2.4 to 4 were seen.
        release_seconds: until the deletion of a session is confirmed.
        call_seconds: what an execution takes beside the program: the call, the kernel, a new Node process.
        cooldown_seconds: how long an idle session stays, where it is not deleted.
        deletes: whether it deletes sessions when told so.
        price_per_hour: of one session, in US dollars.
    """

    sessions: int
    allocate_seconds: float = 3.0
    release_seconds: float = 0.2
    call_seconds: float = 0.15
    cooldown_seconds: float = 300.0
    deletes: bool = True
    price_per_hour: float = 0.03


@dataclass(frozen=True)
class Work:
    """The jobs.

    Attributes:
        seconds: what each program takes, in the order of the queue.
        policy: of their sessions.
        keys: with ``keyed``, how many there are; the jobs go through them in turn.
    """

    seconds: Sequence[float]
    policy: Policy = "fresh"
    keys: int = 1


@dataclass
class _Session:
    """One permit, and the session that is kept under it."""

    owner: int | None = None
    since: float = 0.0
    uses: int = 0


class Usage:
    """The sessions that were allocated, and for how long."""

    def __init__(self) -> None:
        self.allocated, self.seconds, self.hours = 0, 0.0, 0

    def add(self, seconds: float) -> None:
        """One more session was allocated, for so long."""
        self.allocated += 1
        self.seconds += seconds
        self.hours += max(1, math.ceil(seconds / HOUR))


def makespan(work: Work, pool: Pool, usage: Usage) -> float:
    """Seconds from the first job's start to the last one's end, as the worker hands out permits."""
    return _fresh(work, pool, usage) if work.policy == "fresh" else _kept(work, pool, usage)


def _fresh(work: Work, pool: Pool, usage: Usage) -> float:
    """Jobs in their order, each under the permit that is free first."""
    free = [0.0] * min(pool.sessions, len(work.seconds))
    around, end = pool.allocate_seconds + pool.call_seconds, 0.0
    after = pool.release_seconds if pool.deletes else pool.cooldown_seconds
    for seconds in work.seconds:
        ended = free[0] + around + seconds
        end = max(end, ended)
        heapq.heapreplace(free, ended + after)
        usage.add(around + seconds + after)
    return end + (pool.release_seconds if pool.deletes else 0.0)


def _kept(work: Work, pool: Pool, usage: Usage) -> float:
    """As ``_fresh``, but a session stays for its owner until another needs its permit."""
    owners = work.keys if work.policy == "keyed" else 1
    sessions = [_Session() for _ in range(min(pool.sessions, len(work.seconds)))]
    free = [(0.0, index, 0) for index in range(len(sessions))]
    of_key: dict[int, tuple[float, int]] = {}
    end = 0.0
    for number, seconds in enumerate(work.seconds):
        owner = number % owners
        at, index = _choice(free, sessions, of_key.get(owner) if work.policy == "keyed" else None, owner)
        session = sessions[index]
        began = at + _prepared(session, owner, at, pool, usage)
        ended = began + pool.call_seconds + seconds
        session.uses += 1
        heapq.heappush(free, (ended, index, session.uses))
        of_key[owner] = (ended, index)
        end = max(end, ended)
    for session in sessions:
        if session.owner is not None:
            usage.add(end - session.since)
    return end


def _choice(
    free: list[tuple[float, int, int]],
    sessions: Sequence[_Session],
    last: tuple[float, int] | None,
    owner: int,
) -> tuple[float, int]:
    """When a job gets which permit: that with its owner's session, or the one that is free first.

    ``free`` has entries, too, of permits that were used again since: it would take long to look for them.
    """
    if last and sessions[last[1]].owner == owner:
        return last
    at, index, uses = heapq.heappop(free)
    while uses != sessions[index].uses:
        at, index, uses = heapq.heappop(free)
    return max(at, last[0] if last else 0.0), index


def _prepared(session: _Session, owner: int, at: float, pool: Pool, usage: Usage) -> float:
    """How long until a permit's session is one that the owner may use."""
    if session.owner == owner:
        return 0.0
    before = pool.release_seconds if session.owner is not None else 0.0
    if session.owner is not None:
        usage.add(at + before - session.since)
    session.owner, session.since = owner, at + before
    return before + pool.allocate_seconds
