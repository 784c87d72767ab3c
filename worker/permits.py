"""Session permits: the bound on sessions that are allocated at the pool at one time."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from dataclasses import dataclass, field

from worker.clock import now

SHARED = "shared"
DECREASE_SECONDS = 1.0  # a full pool tells many jobs at once; that is one reason to take less, not many


def _not_yet() -> asyncio.Future[None]:
    return asyncio.get_running_loop().create_future()


@dataclass(eq=False)
class Permit:
    """The right to have one session allocated.

    Attributes:
        index: 0 to ``max_sessions`` - 1; the pool's adapter has a client for each.
        session: identifier of a session that is kept for reuse, or None.
        owner: who may reuse it: ``SHARED`` for all shared jobs, else the jobs of one key, one after another.
        lost: done once the permit is another's: its session must go, and nothing more may be run in it.
        free_since: when it was last given back, on the loop's clock.
    """

    index: int
    session: str | None = None
    owner: str | None = None
    lost: asyncio.Future[None] = field(default_factory=_not_yet)
    free_since: float = field(default_factory=now)


class Permits:
    """Hands out permits; those that wait are served in their order.

    There are ``size`` of them from the start; others come with ``add`` and go with ``retire`` and ``lose``.
    State changes in synchronous functions only, so that no await can come between.

    Attributes:
        wanted: set when ``waiting`` may have grown; who supplies permits clears it.
    """

    def __init__(self, size: int = 0) -> None:
        self._free: deque[Permit] = deque(Permit(index) for index in range(size))
        self._in_use: dict[Permit, str | None] = {}
        self._lost: set[Permit] = set()  # in use, but ours no more
        self._waiting: deque[tuple[str | None, asyncio.Future[Permit]]] = deque()
        self._limit = math.inf  # while the pool has not said that it is full
        self._decreased_at = -math.inf
        self.wanted = asyncio.Event()

    @property
    def in_use(self) -> int:
        """How many of ours are in use."""
        return len(self._in_use) - len(self._lost)

    @property
    def held(self) -> int:
        """How many are ours, free or in use."""
        return len(self._free) + self.in_use

    @property
    def limit(self) -> int:
        """How many may be in use; below ``held`` after the pool was full."""
        return math.floor(min(self._limit, self.held))

    @property
    def kept(self) -> int:
        """How many of ours are free and keep a session for reuse."""
        return sum(permit.session is not None for permit in self._free)

    @property
    def in_line(self) -> int:
        """How many wait for a permit, whatever keeps them from having one."""
        return sum(not future.done() for _, future in self._waiting)

    @property
    def waiting(self) -> int:
        """How many of those that wait would be served if there were more permits."""
        if self._limit < self.held + 1:
            return 0
        owners = [owner for owner, future in self._waiting if not future.done() and self._is_open(owner)]
        keys = {owner for owner in owners if owner not in (None, SHARED)}
        return len(keys) + sum(owner in (None, SHARED) for owner in owners)

    async def take(self, owner: str | None = None) -> Permit:
        """Wait for a permit: for an owner its own one first, then one without a session, then any.

        The permit may come with a session of another owner, which must be released before it is used.
        """
        while True:
            permit = self._choose(owner) or await self._wait(owner)
            if not permit.lost.done():
                return permit
            self.give_back(permit)  # it was lost in the moment it was handed over

    def give_back(self, permit: Permit) -> None:
        """Return a permit whose session is released, or kept in it for reuse; a lost one ends here."""
        del self._in_use[permit]
        if permit in self._lost:
            self._lost.remove(permit)
        else:
            self._put(permit)
        self._serve()

    def take_kept(self, idle_seconds: float = 0.0) -> list[Permit]:
        """Take all free permits that keep a session and were not used for so long."""
        latest = now() - idle_seconds
        kept = [permit for permit in self._free if permit.session and permit.free_since <= latest]
        for permit in kept:
            self._free.remove(permit)
            self._in_use[permit] = permit.owner
        return kept

    def add(self, index: int) -> bool:
        """Bring a permit into circulation; False while one of that index is known."""
        if self.knows(index):
            return False
        self._put(Permit(index))
        self._serve()
        return True

    def knows(self, index: int) -> bool:
        """Whether a permit of that index is free or in use, a lost one included."""
        return any(permit.index == index for permit in (*self._free, *self._in_use))

    def idle(self, seconds: float) -> list[int]:
        """The indexes of the permits that ``retire`` would take and that were not used for so long."""
        latest = now() - seconds
        return [permit.index for permit in self._free if not permit.session and permit.free_since <= latest]

    def retire(self, index: int) -> bool:
        """Take a permit out of circulation; False if it is in use, keeps a session, or is not known."""
        for permit in self._free:
            if permit.index == index and not permit.session:
                self._free.remove(permit)
                return True
        return False

    def lose(self, index: int) -> None:
        """A permit is another's from now on: a free one is gone at once, and who uses one is told."""
        for permit in [permit for permit in (*self._free, *self._in_use) if permit.index == index]:
            if permit in self._in_use:
                self._lost.add(permit)
            else:
                self._free.remove(permit)
            if not permit.lost.done():
                permit.lost.set_result(None)
        self._serve()  # one that was in use counts to the limit no more

    def was_full(self) -> None:
        """The pool has refused a session: let fewer be in use for a while."""
        if now() - self._decreased_at >= DECREASE_SECONDS:
            self._decreased_at = now()
            self._limit = max(1.0, min(self._limit, self.in_use - 1))

    def worked(self) -> None:
        """The pool has given a session: after a full pool, let more be in use, little by little."""
        if self._limit is math.inf:
            return
        self._limit += 1 / self._limit
        if self._limit >= self.held:
            self._limit = math.inf
            self.wanted.set()
        self._serve()

    async def _wait(self, owner: str | None) -> Permit:
        future: asyncio.Future[Permit] = asyncio.get_running_loop().create_future()
        self._waiting.append((owner, future))
        self.wanted.set()
        try:
            return await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled():
                self.give_back(future.result())
            raise

    def _put(self, permit: Permit) -> None:
        """Last used, first taken, so that what is not needed stays idle; sessions kept longest go first."""
        permit.free_since = now()
        if permit.session:
            self._free.append(permit)
        else:
            self._free.appendleft(permit)

    def _serve(self) -> None:
        for _ in range(len(self._waiting)):
            owner, future = self._waiting.popleft()
            if future.done():
                continue
            permit = self._choose(owner)
            if permit:
                future.set_result(permit)
            else:
                self._waiting.append((owner, future))

    def _choose(self, owner: str | None) -> Permit | None:
        """The best free permit, now in use; None when there is none, or the key's session is in use."""
        if self.in_use + 1 > self._limit or not self._is_open(owner):
            return None
        permit = min(
            self._free, key=lambda p: (p.owner != owner or not owner, p.session is not None), default=None
        )
        if permit:
            self._free.remove(permit)
            self._in_use[permit] = owner
        return permit

    def _is_open(self, owner: str | None) -> bool:
        """Whether the owner may have a permit now; the jobs of one key run one after another."""
        return owner in (None, SHARED) or owner not in self._in_use.values()
