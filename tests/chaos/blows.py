"""Carries a schedule out: the services' switches, signals, and what the relays do to connections."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Iterable
    from random import Random

    from tests.chaos.fleet import Fleet
    from tests.chaos.schedule import Blow, Phase
    from tests.chaos.services import Stack

STOP_SECONDS = 60.0


class Chaos:
    """What is done to one stack and its workers.

    Attributes:
        done: how often each thing was done.
    """

    def __init__(self, stack: Stack, fleet: Fleet, random: Random) -> None:
        self._stack, self._fleet, self._random = stack, fleet, random
        self._under_way: set[asyncio.Task[None]] = set()
        self._busy_roles: set[str] = set()
        self.done: Counter[str] = Counter()

    async def run(self, phases: Iterable[Phase]) -> None:
        """Carry out the phases; whatever was done is undone when this returns."""
        try:
            for phase in phases:
                self._begin(phase)
                await self._watch(phase.seconds)
        finally:
            self._stack.set_faults({})
        if self._under_way:
            await asyncio.gather(*self._under_way)

    def _begin(self, phase: Phase) -> None:
        if phase.names:
            time = datetime.now(UTC).strftime("%H:%M:%S")  # as in the logs
            click.echo(f"  {time} {phase.seconds:.1f} s: {', '.join(phase.names)}", err=True)
        self._stack.set_faults(phase.faults)
        for name in phase.names:
            self.done[name] += 1
        for blow in phase.blows:
            task = asyncio.create_task(self._strike(blow))
            self._under_way.add(task)

    async def _watch(self, seconds: float) -> None:
        """Wait, replacing workers that ended by themselves, as a platform does; raises what failed here."""
        end = asyncio.get_running_loop().time() + seconds
        while (left := end - asyncio.get_running_loop().time()) > 0:
            await asyncio.sleep(min(left, 0.5))
            for _ in range(self._fleet.reap()):
                await self._fleet.start()
            for task in [task for task in self._under_way if task.done()]:
                self._under_way.remove(task)
                task.result()

    async def _strike(self, blow: Blow) -> None:
        await asyncio.sleep(blow.after)
        match blow.kind:
            case "kill worker" | "stop worker" | "pause worker":
                await self._strike_worker(blow)
            case "kill service" | "pause service":
                await self._strike_service(blow)
            case _:
                await self._strike_connections(blow)

    async def _strike_worker(self, blow: Blow) -> None:
        running = [member for member in self._fleet.members if member.is_running]
        if not running:
            return
        member = self._random.choice(running)
        self.done[blow.kind] += 1
        if blow.kind == "pause worker":
            member.signal(signal.SIGSTOP)
            await asyncio.sleep(blow.seconds)
            member.signal(signal.SIGCONT)
            return
        if blow.kind == "kill worker":
            await self._fleet.kill(member)
        else:
            await self._fleet.stop(member, STOP_SECONDS)
        await asyncio.sleep(blow.seconds)
        await self._fleet.start()

    async def _strike_service(self, blow: Blow) -> None:
        if blow.role in self._busy_roles:
            return
        self._busy_roles.add(blow.role)
        self.done[f"{blow.kind.split()[0]} {blow.role}"] += 1
        try:
            if blow.kind == "pause service":
                self._stack.signal(blow.role, signal.SIGSTOP)
                await asyncio.sleep(blow.seconds)
                self._stack.signal(blow.role, signal.SIGCONT)
            else:
                await self._stack.kill(blow.role)
                await asyncio.sleep(blow.seconds)
                await self._stack.start(blow.role)
        finally:
            self._busy_roles.discard(blow.role)

    async def _strike_connections(self, blow: Blow) -> None:
        relay = self._stack.relays[blow.role]
        self.done[f"{blow.kind} {blow.role}"] += 1
        match blow.kind:
            case "cut":
                relay.cut(blow.share)
            case "lose":
                relay.lose_rate = blow.share
                await asyncio.sleep(blow.seconds)
                relay.lose_rate = 0.0
            case "freeze":
                relay.freeze(frozen=True)
                await asyncio.sleep(blow.seconds)
                relay.freeze(frozen=False)
