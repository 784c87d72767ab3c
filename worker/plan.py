"""How long a number of jobs takes on a pool, what that needs and costs: a model of what the worker does.

The times of the service are those that the sessions API is known for, and the worker's CPU that of the
benchmark. Prices and billing in whole hours: https://learn.microsoft.com/azure/container-apps/billing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import cycle, islice
from typing import TYPE_CHECKING, Literal, TypeVar

from worker.makespan import HOUR, Policy, Pool, Usage, Work, makespan
from worker.settings import default_lookahead

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

MOST_SESSIONS = 600  # of one pool
MOST_JOBS = 1_000_000  # that a plan is made for

T = TypeVar("T")
Bottleneck = Literal["sessions", "longest_job", "keys", "slots", "worker_cpu"]


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


def planned(work: Work, pool: Pool, workers: Workers) -> Plan:
    """The plan for some work.

    Raises:
        ValueError: there are no jobs, or more than a plan is made for.
    """
    if not 1 <= len(work.seconds) <= MOST_JOBS:
        raise ValueError(f"a plan is for 1 to {MOST_JOBS:,} jobs")
    replicas = workers.replicas(pool.sessions)
    sessions = min(pool.sessions, replicas * workers.sessions_per_worker)
    usage = Usage()
    took = makespan(work, replace(pool, sessions=sessions), usage)
    bounds = _bounds(work, replace(pool, sessions=sessions), workers, replicas)
    finish = max(took, bounds["slots"], bounds["worker_cpu"])
    return Plan(
        jobs=len(work.seconds),
        policy=work.policy,
        sessions=min(sessions, len(work.seconds)),
        replicas=min(replicas, math.ceil(len(work.seconds) / workers.slots)),
        finish_seconds=finish,
        jobs_per_second=len(work.seconds) / finish,
        sessions_allocated=usage.allocated,
        session_hours_used=usage.seconds / HOUR,
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
