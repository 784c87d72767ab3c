"""Session permits: the bound on sessions that are allocated at the pool at one time."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass

SHARED = "shared"


@dataclass(eq=False)
class Permit:
    """The right to have one session allocated.

    Attributes:
        index: 0 to ``max_sessions`` - 1; the pool's adapter has a client for each.
        session: identifier of a session that is kept for reuse, or None.
        owner: who may reuse it: ``SHARED`` for all shared jobs, else the jobs of one key, one after another.
    """

    index: int
    session: str | None = None
    owner: str | None = None


class Permits:
    """Hands out at most ``size`` permits; those that wait are served in their order.

    State changes in synchronous functions only, so that no await can come between.
    """

    def __init__(self, size: int) -> None:
        self._free: deque[Permit] = deque(Permit(index) for index in range(size))
        self._in_use: dict[Permit, str | None] = {}
        self._waiting: deque[tuple[str | None, asyncio.Future[Permit]]] = deque()

    async def take(self, owner: str | None = None) -> Permit:
        """Wait for a permit: for an owner its own one first, then one without a session, then any.

        The permit may come with a session of another owner, which must be released before it is used.
        """
        permit = self._choose(owner)
        if permit:
            return permit
        future: asyncio.Future[Permit] = asyncio.get_running_loop().create_future()
        self._waiting.append((owner, future))
        try:
            return await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled():
                self.give_back(future.result())
            raise

    def give_back(self, permit: Permit) -> None:
        """Return a permit whose session is released, or kept in it for reuse."""
        del self._in_use[permit]
        self._free.append(permit)
        self._serve()

    def take_kept(self) -> list[Permit]:
        """Take all free permits that keep a session."""
        kept = [permit for permit in self._free if permit.session]
        for permit in kept:
            self._free.remove(permit)
            self._in_use[permit] = permit.owner
        return kept

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
        if owner not in (None, SHARED) and owner in self._in_use.values():
            return None
        permit = min(
            self._free, key=lambda p: (p.owner != owner or not owner, p.session is not None), default=None
        )
        if permit:
            self._free.remove(permit)
            self._in_use[permit] = owner
        return permit
