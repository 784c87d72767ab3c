"""Workers that share permits over one store and one pool, in virtual time."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from tests.unit.core.calls import Calls, _Call
from tests.unit.core.fake_blobs import Account, FakeBlobs
from tests.unit.core.virtual_time import VirtualLoop
from tests.unit.core.world import settings
from worker.clock import now
from worker.faults import InfrastructureFault
from worker.permit_leases import PermitLeases
from worker.permits import Permit, Permits

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

LEASE = 60.0
SIZE = 5


class Named:
    """Sessions are called ``<deployment>-<permit>-<who>`` here."""

    @staticmethod
    def of_permit(identifier: str, permit: int) -> bool:
        return identifier.startswith(f"own-{permit:03}-")


class Pool:
    """Knows its sessions; may be out of reach."""

    def __init__(self) -> None:
        self.sessions: set[str] = set()
        self.is_down = False
        self.refuses: set[str] = set()

    async def identifiers(self, permit: int) -> list[str]:
        del permit
        await asyncio.sleep(0.01)
        if self.is_down:
            raise InfrastructureFault("the pool is down")
        return sorted(self.sessions)

    async def release(self, permit: int, identifier: str) -> bool:
        del permit
        await asyncio.sleep(0.01)
        if self.is_down or identifier in self.refuses:
            raise InfrastructureFault("the session's deletion is not confirmed")
        is_there = identifier in self.sessions
        self.sessions.discard(identifier)
        return is_there


class Outage(Calls):
    """The calls of one process, which may be cut off from the store, or stand still as a whole."""

    def __init__(self) -> None:
        super().__init__()
        self.is_out = False
        self.waited_for: asyncio.Event | None = None
        self.at: list[float] = []  # when each call was made
        self.renewing = asyncio.Event()

    def call(self, name: str) -> _Call:
        self.at.append(now())
        if name == "renew_lease":
            self.renewing.set()
        return super().call(name)

    async def step(self) -> None:
        if self.waited_for:
            await self.waited_for.wait()
        if self.is_out:
            raise InfrastructureFault("the store is out of reach")
        await super().step()


class Replica:
    """A worker's part of the fleet."""

    def __init__(self, fleet: Fleet, name: str, most: int | None = None) -> None:
        self.name, self.calls, self.permits = name, Outage(), Permits()
        values = settings(
            max_sessions=fleet.size,
            instance=name,
            permit_leases=True,
            permit_lease_seconds=LEASE,
            session_cooldown_seconds=300,
            sessions_per_worker=most,
        )
        blobs = FakeBlobs(fleet.account, self.calls)
        self.leases = PermitLeases(blobs, fleet.pool, self.permits, Named(), values)
        self.task = asyncio.create_task(self.leases.run())
        self._pool = fleet.pool

    async def take(self) -> tuple[Permit, str]:
        """A permit, and a session under it."""
        permit = await self.permits.take()
        session = f"own-{permit.index:03}-{self.name}-{now()}"
        self._pool.sessions.add(session)
        return permit, session

    def give_back(self, permit: Permit, session: str) -> None:
        self._pool.sessions.discard(session)
        self.permits.give_back(permit)

    async def work(self, seconds: float) -> None:
        """One job; it ends, and its session with it, when the permit is lost."""
        permit, session = await self.take()
        try:
            await asyncio.wait([permit.lost], timeout=seconds)
        finally:
            if not self.calls.crashed.is_set():
                self.give_back(permit, session)

    async def kill(self) -> None:
        self.calls.crash()
        self.task.cancel()
        await asyncio.wait([self.task])

    async def close(self) -> None:
        await self.leases.close()
        await self.task


class Fleet:
    """Looks all the time that no two replicas have one permit, and the pool no session too many."""

    def __init__(self, size: int) -> None:
        self.size, self.account, self.pool = size, Account(), Pool()
        self.replicas: list[Replica] = []
        self.peak = 0

    def replica(self, most: int | None = None) -> Replica:
        replica = Replica(self, f"replica-{len(self.replicas)}", most)
        self.replicas.append(replica)
        return replica

    @property
    def alive(self) -> list[Replica]:
        return [replica for replica in self.replicas if not replica.calls.crashed.is_set()]

    def held(self) -> list[int]:
        """How many permits each living replica has."""
        return [replica.permits.held for replica in self.alive]

    def held_by_dead(self) -> int:
        return sum(metadata["holder"] not in {r.name for r in self.alive} for metadata in self.marked())

    def marked(self) -> list[dict[str, str]]:
        return [blob.metadata for name, blob in self.account.blobs.items() if blob.metadata]

    async def look(self) -> None:
        while True:
            indexes = Counter(
                permit.index
                for replica in self.alive
                for permit in (*replica.permits._free, *replica.permits._in_use)
                if not permit.lost.done()
            )
            assert all(count == 1 for count in indexes.values()), f"held twice: {indexes}"
            sessions = [session for session in self.pool.sessions if session < f"own-{self.size:03}"]
            assert len(sessions) <= self.size, f"too many sessions: {sessions}"
            used = sum(replica.permits.in_use for replica in self.alive)
            assert used <= sum(self.held()) <= self.size
            self.peak = max(self.peak, used)
            await asyncio.sleep(0.5)


@asynccontextmanager
async def fleet_of(replicas: int, size: int = SIZE) -> AsyncIterator[tuple[Fleet, list[Replica]]]:
    fleet = Fleet(size)
    async with asyncio.TaskGroup() as group:
        looking = group.create_task(fleet.look())
        yield fleet, [fleet.replica() for _ in range(replicas)]
        for replica in fleet.alive:
            await replica.close()
        looking.cancel()
    assert not VirtualLoop.unhandled_of_running()


async def working(replica: Replica, jobs: int, seconds: float) -> list[asyncio.Task[None]]:
    tasks = [asyncio.create_task(replica.work(seconds)) for _ in range(jobs)]
    await asyncio.sleep(0)
    return tasks
