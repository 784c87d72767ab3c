"""How long a number of jobs takes on a pool, what that needs and costs: a model of what the worker does.

The times of the service are those that the sessions API is known for, and the worker's CPU that of the
benchmark. Prices and billing in whole hours: https://learn.microsoft.com/azure/container-apps/billing.
"""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass, replace
from itertools import cycle, islice
from typing import TYPE_CHECKING, Literal, TypeVar

from worker.settings import default_lookahead

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

MOST_SESSIONS = 600  # of one pool
MOST_JOBS = 1_000_000  # that a plan is made for
_HOUR = 3600.0

T = TypeVar("T")
Policy = Literal["fresh", "keyed", "shared"]
Bottleneck = Literal["sessions", "longest_job", "keys", "slots", "worker_cpu"]


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
class Workers:
    """The workers' side.

    Attributes:
        sessions_per_worker: the most that one of them uses.
        beside_seconds: what a slot does for a job without a session: receive, fetch, commit, settle.
        cpu_seconds: of a worker, for each job.
    """

    sessions_per_worker: int
    beside_seconds: float = 0.3
    cpu_seconds: float = 0.0065

    @property
    def slots(self) -> int:
        """Slots of one worker, as ``WorkerSettings.slots`` has them."""
        return self.sessions_per_worker + default_lookahead(self.sessions_per_worker)

    def replicas(self, sessions: int) -> int:
        """How many use all sessions of a pool and no more; at least one."""
        return max(1, sessions // self.sessions_per_worker)


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


@dataclass(frozen=True)
class Plan:
    """What is to be expected.

    Attributes:
        sessions: how many are in use at once.
        replicas: workers that it takes to use them.
        finish_seconds: from the first job's start to the last one's end, the workers being there.
        sessions_allocated: how many sessions are begun in all.
        session_hours_used: for which sessions are allocated.
        session_hours_billed: the same with each session's time rounded up to whole hours.
        cost: of the sessions, in US dollars.
        bottleneck: what would have to grow for it to be faster.
    """

    jobs: int
    policy: Policy
    sessions: int
    replicas: int
    finish_seconds: float
    jobs_per_second: float
    sessions_allocated: int
    session_hours_used: float
    session_hours_billed: int
    cost: float
    bottleneck: Bottleneck


@dataclass
class _Session:
    """One permit, and the session that is kept under it."""

    owner: int | None = None
    since: float = 0.0
    uses: int = 0


class _Usage:
    """The sessions that were allocated, and for how long."""

    def __init__(self) -> None:
        self.allocated, self.seconds, self.hours = 0, 0.0, 0

    def add(self, seconds: float) -> None:
        self.allocated += 1
        self.seconds += seconds
        self.hours += max(1, math.ceil(seconds / _HOUR))


def planned(work: Work, pool: Pool, workers: Workers) -> Plan:
    """The plan for some work.

    Raises:
        ValueError: there are no jobs, or more than a plan is made for.
    """
    if not 1 <= len(work.seconds) <= MOST_JOBS:
        raise ValueError(f"a plan is for 1 to {MOST_JOBS:,} jobs")
    replicas = workers.replicas(pool.sessions)
    sessions = min(pool.sessions, replicas * workers.sessions_per_worker)
    usage = _Usage()
    makespan = _makespan(work, replace(pool, sessions=sessions), usage)
    bounds = _bounds(work, replace(pool, sessions=sessions), workers, replicas)
    finish = max(makespan, bounds["slots"], bounds["worker_cpu"])
    return Plan(
        jobs=len(work.seconds),
        policy=work.policy,
        sessions=min(sessions, len(work.seconds)),
        replicas=min(replicas, math.ceil(len(work.seconds) / workers.slots)),
        finish_seconds=finish,
        jobs_per_second=len(work.seconds) / finish,
        sessions_allocated=usage.allocated,
        session_hours_used=usage.seconds / _HOUR,
        session_hours_billed=usage.hours,
        cost=usage.hours * pool.price_per_hour,
        bottleneck=max(bounds, key=lambda name: bounds[name]),
    )


def smallest(work: Work, pool: Pool, workers_of: Callable[[int], Workers], seconds: float) -> int | None:
    """The fewest sessions with which the work is done in the time; None if no pool has so many."""
    low, high = 1, MOST_SESSIONS
    while low < high:
        middle = (low + high) // 2
        if _finish(work, pool, workers_of, middle) <= seconds:
            high = middle
        else:
            low = middle + 1
    return low if _finish(work, pool, workers_of, low) <= seconds else None


def spread(known: Iterable[T], count: int) -> list[T]:
    """So many values, like those that are known."""
    return list(islice(cycle(known), count))


def _finish(work: Work, pool: Pool, workers_of: Callable[[int], Workers], sessions: int) -> float:
    return planned(work, replace(pool, sessions=sessions), workers_of(sessions)).finish_seconds


def _makespan(work: Work, pool: Pool, usage: _Usage) -> float:
    return _fresh(work, pool, usage) if work.policy == "fresh" else _kept(work, pool, usage)


def _fresh(work: Work, pool: Pool, usage: _Usage) -> float:
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


def _kept(work: Work, pool: Pool, usage: _Usage) -> float:
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


def _prepared(session: _Session, owner: int, at: float, pool: Pool, usage: _Usage) -> float:
    """How long until a permit's session is one that the owner may use."""
    if session.owner == owner:
        return 0.0
    before = pool.release_seconds if session.owner is not None else 0.0
    if session.owner is not None:
        usage.add(at + before - session.since)
    session.owner, session.since = owner, at + before
    return before + pool.allocate_seconds


def _bounds(work: Work, pool: Pool, workers: Workers, replicas: int) -> dict[Bottleneck, float]:
    """What each resource by itself would take, in seconds."""
    jobs, total, longest = len(work.seconds), sum(work.seconds), max(work.seconds)
    around = pool.call_seconds + (_overhead(pool) if work.policy == "fresh" else 0.0)
    held = total + jobs * around
    keyed = work.policy == "keyed"
    return {
        "sessions": held / pool.sessions,
        "longest_job": longest + pool.allocate_seconds + pool.call_seconds,
        "keys": held / work.keys if keyed else 0.0,
        "slots": (held + jobs * workers.beside_seconds) / (workers.slots * replicas),
        "worker_cpu": jobs * workers.cpu_seconds / replicas,
    }


def _overhead(pool: Pool) -> float:
    return pool.allocate_seconds + (pool.release_seconds if pool.deletes else pool.cooldown_seconds)
