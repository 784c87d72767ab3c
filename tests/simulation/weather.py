"""The calls of one process under the faults of a scenario."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.unit.core.calls import Calls, Crash, Plan
from worker.clock import now
from worker.faults import CapacityFault, ConfigurationFault, ExecutionLost, InfrastructureFault, LockLost

if TYPE_CHECKING:
    import random

    from tests.simulation.scenario import Fault, Window

_SERVICE = {
    **dict.fromkeys(("execute", "upload", "download", "release", "identifiers"), "pool"),
    **dict.fromkeys(("receive", "renew", "settle", "send", "is_queue_empty"), "queue"),
}
_PATIENCE = {"pool": 45.0, "queue": 30.0, "blobs": 60.0}  # of the adapters, with a service that hangs
HOT_WINDOW_SECONDS = 10.0


@dataclass(frozen=True)
class Slow(Plan):
    """A fault that takes its time."""

    seconds: float = 0.0

    async def strike(self) -> None:
        await asyncio.sleep(self.seconds)
        await super().strike()


class StormyCalls(Calls):
    """Every call takes a moment, and may fail as the windows say.

    Attributes:
        name: of the process, for reports.
        failed: how many calls failed, by their name.
        failed_at: the same, by the window of ``HOT_WINDOW_SECONDS`` they fell into.
    """

    def __init__(self, name: str, windows: tuple[Window, ...], rng: random.Random) -> None:
        super().__init__()
        self.name, self._windows, self._rng = name, windows, rng
        self.failed: Counter[str] = Counter()
        self.failed_at: Counter[int] = Counter()

    async def step(self) -> None:
        self.steps += 1
        if (deed := self.at_step.get(self.steps)) is not None:
            deed()
        if not self.crashed.is_set():
            await asyncio.sleep(self._rng.choice((0.001, 0.005, 0.02, 0.2)))
        if self.crashed.is_set():
            raise Crash

    def plan(self, name: str) -> Plan | None:
        service, time = _SERVICE.get(name, "blobs"), now()
        for window in self._windows:
            if window.service == service and window.begins <= time < window.ends:
                plan = self._rng.random() < window.probability and self._fault(name, service, window.fault)
                if plan:
                    self.failed[name] += 1
                    self.failed_at[int(time / HOT_WINDOW_SECONDS)] += 1
                    return plan
        return None

    def _fault(self, name: str, service: str, fault: Fault) -> Plan | None:
        match fault:
            case "refused":
                return Plan(InfrastructureFault(f"{name}: refused"), after_effect=False)
            case "busy":
                is_taken = service == "pool" and name in ("release", "download", "identifiers")
                return None if is_taken else Plan(CapacityFault(f"{name}: busy"), after_effect=False)
            case "denied":
                return Plan(ConfigurationFault(f"{name}: denied", "Grant it"), after_effect=False)
            case "lock_refused":
                return Plan(LockLost(f"{name}: lost"), self._coin()) if name in ("renew", "settle") else None
            case "hangs":
                return Slow(_unanswered(name), self._coin(), _PATIENCE[service])
            case "lossy":
                return Slow(_unanswered(name), self._coin(), self._rng.choice((0.0, 0.0, 5.0)))

    def _coin(self) -> bool:
        return self._rng.random() < 0.5


def _unanswered(name: str) -> Exception:
    """As the adapters say it."""
    if name in ("execute", "upload", "download"):
        return ExecutionLost(f"{name}: no answer")
    return InfrastructureFault(f"{name}: no answer")
