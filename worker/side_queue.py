"""A queue beside those of the jobs, whose slots take no permits and keep no job waiting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from worker.breaker import Breaker
from worker.intake import Intake
from worker.permits import Permits
from worker.slot import Slot

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable

    from worker.slot import Handler, Receiver
    from worker.vitals import Vitals


@dataclass(frozen=True)
class SideQueue:
    """A queue beside that of the jobs: what its slots are made of.

    Attributes:
        name: in vitals and logs.
        handler: turns deliveries into settlements.
        new_receiver: makes a receiver for each slot.
        is_clear: whether nothing waits in the queue or is in somebody's hands; what is scheduled for later
            does not matter. A worker that drains asks before it ends.
        size: how many slots.
    """

    name: str
    handler: Handler
    new_receiver: Callable[[], Receiver]
    is_clear: Callable[[], Awaitable[bool]]
    size: int = 2

    def opened(self, stop: asyncio.Event, vitals: Vitals) -> tuple[Intake, list[Slot]]:
        """The slots, which stop as those of jobs do, and what they share."""
        queue = Breaker(f"receiving {self.name}", vitals, failures=1, parties=1)
        handling = Breaker(self.name, vitals)  # stays closed: one that fails must not stop the others
        intake = Intake(stop, queue, handling, Permits(self.size), look_ahead=0)
        names = (f"{self.name} slot {number}" for number in range(self.size))
        return intake, [Slot(name, self.new_receiver(), self.handler, intake, vitals) for name in names]
