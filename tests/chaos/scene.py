"""A stack, its workers, and whoever looks on: what runs and scenarios begin with."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from tests.chaos.clients import Blobs, Bus, Observer
from tests.chaos.fleet import Fleet
from tests.chaos.services import Stack

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping
    from pathlib import Path
    from random import Random

T = TypeVar("T")
POOL_SESSIONS = 8  # more than the workers may have: that they stay below is their own doing
SETTINGS = {
    "JSWORKER_PERMIT_LEASES": "true",
    "JSWORKER_PERMIT_LEASE_SECONDS": "15",
    "JSWORKER_RETRY_BASE_SECONDS": "0.2",
    "JSWORKER_RETRY_MAX_SECONDS": "2",
    "JSWORKER_MAX_ATTEMPTS": "8",
    "JSWORKER_WAIT_IN_HAND_SECONDS": "6",
    "JSWORKER_SHUTDOWN_GRACE_SECONDS": "3",
    "JSWORKER_DEFAULT_TIMEOUT_SECONDS": "5",
}


@dataclass(frozen=True)
class Scene:
    """What runs; ``bus`` and ``blobs`` go past the relays."""

    stack: Stack
    fleet: Fleet
    observer: Observer
    bus: Bus
    blobs: Blobs

    async def until(self, look: Callable[[], T], seconds: float) -> T:
        """Look, in a thread, until there is something or the time is over; what was seen last."""
        end = time.monotonic() + seconds
        while True:
            seen = await asyncio.to_thread(look)
            if seen or time.monotonic() > end:
                return seen
            await asyncio.sleep(0.1)


@asynccontextmanager
async def scene(
    folder: Path,
    random: Random,
    queue: Mapping[str, Any],
    settings: Mapping[str, str],
    beside: Iterable[Mapping[str, Any]] = (),
) -> AsyncIterator[Scene]:
    """Start a stack in the folder; workers are started by whoever uses it, and none is left behind."""
    async with AsyncExitStack() as resources:
        stack = await resources.enter_async_context(Stack(folder, random, [queue, *beside], POOL_SESSIONS))
        fleet = Fleet(folder, {**stack.environment, **SETTINGS, **settings})
        resources.push_async_callback(fleet.kill_all)
        blobs = Blobs(stack.direct)
        resources.callback(blobs.close)
        observer = resources.enter_context(Observer(stack.direct))
        bus = Bus(stack.direct)
        resources.callback(bus.close)
        yield Scene(stack, fleet, observer, bus, blobs)
