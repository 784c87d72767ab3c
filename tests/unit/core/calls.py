"""What every call to a fake service passes through: there it is counted, failed or cut by a crash."""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from worker.lock_clock import LockClock

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType


class Crash(BaseException):
    """The process is gone: nothing of it may go on."""


@dataclass(frozen=True)
class Plan:
    """What happens to one call; without a fault it never returns."""

    fault: BaseException | None
    after_effect: bool

    async def strike(self) -> None:
        if self.fault is None:
            await asyncio.Event().wait()
        else:
            raise self.fault


class Calls:
    """The calls of one process. Each has two steps: before its effect, and after it but before its answer.

    Attributes:
        clock_behind_seconds: how much the wall clock of the process is behind that of the services.
        locks: what the process knows of its queue's locks.
    """

    clock_behind_seconds = 0.0

    def __init__(self) -> None:
        self.made: list[str] = []
        self.locks = LockClock()
        self.steps = 0
        self.at_step: dict[int, Callable[[], object]] = {}
        self.crashed = asyncio.Event()
        self._plans: defaultdict[str, deque[Plan | None]] = defaultdict(deque)

    def fail(self, name: str, *faults: BaseException | None, after_effect: bool = False) -> None:
        """Let the next calls of a name fail, one after the other; None lets one pass."""
        self._plans[name] += [Plan(fault, after_effect) if fault else None for fault in faults]

    def hang(self, name: str) -> None:
        """Let the next call of a name have its effect and never return."""
        self._plans[name].append(Plan(None, after_effect=True))

    def crash(self) -> None:
        self.crashed.set()

    def call(self, name: str) -> _Call:
        """The context in which a call has its effect."""
        self.made.append(name)
        return _Call(self, self.plan(name))

    def plan(self, name: str) -> Plan | None:
        """What happens to the call of that name which is made now."""
        return self._plans[name].popleft() if self._plans[name] else None

    async def step(self) -> None:
        self.steps += 1
        self.at_step.get(self.steps, lambda: None)()
        if not self.crashed.is_set():
            await asyncio.sleep(0)
        if self.crashed.is_set():
            raise Crash


class _Call:
    def __init__(self, calls: Calls, plan: Plan | None) -> None:
        self._calls, self._plan = calls, plan

    async def __aenter__(self) -> None:
        await self._calls.step()
        if self._plan and not self._plan.after_effect:
            await self._plan.strike()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            if self._plan and self._plan.after_effect:
                await self._plan.strike()
            await self._calls.step()
