"""Tells an empty queue from a service that hangs, which the Service Bus client cannot.

While the service hangs with its connections open, receiving gives no message and no error, for ever.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from worker.clock import now
from worker.faults import ConfigurationFault, ServiceFault
from worker.lock_clock import LockClock
from worker.vitals import Vitals

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

log = structlog.get_logger()
QUEUE = "queue"
WATCHDOG = "watchdog"


@dataclass(frozen=True)
class Times:
    """Bounds of what is done over links, in seconds.

    Attributes:
        call: an answer, or the opening of a link.
        receive: a receive, which itself waits a second for a message.
        close: closing a link, which may hang.
        silence: how long a link is kept over which no message comes.
        quiet: how long nothing is heard of the service until it is probed, and between probes.
        probe: the answer to a probe.
    """

    call: float = 30.0
    receive: float = 10.0
    close: float = 5.0
    silence: float = 300.0
    quiet: float = 30.0
    probe: float = 10.0


class QueueWatch:
    """What the links to one queue have in common.

    Args:
        vitals: of the worker; of many queues each is a part of its own in them.
        times: the bounds.
        queue: the queue's name, when there are many.

    Attributes:
        generation: links that were opened under an earlier one are to be built anew.
        heard_at: when the service last gave an answer that was no mere silence.
        locks: judges the queue's locks.
    """

    def __init__(self, vitals: Vitals | None = None, times: Times | None = None, queue: str = "") -> None:
        self.vitals, self.times, self.queue = vitals or Vitals(), times or Times(), queue
        self.part, self.watchdog = (f"{part} {queue}".rstrip() for part in (QUEUE, WATCHDOG))
        self.locks = LockClock()
        self.generation = 0
        self.heard_at = now()
        self._silent = False
        self._told: set[str] = set()

    def heard(self) -> None:
        """The service has answered."""
        self.heard_at = now()
        self._silent = False
        self.vitals.well(self.part)

    def failed(self, fault: BaseException) -> None:
        """A call has failed; one that the configuration is to blame for makes the worker not ready."""
        if isinstance(fault, ConfigurationFault):
            self.vitals.ill(self.part, str(fault))

    def silent(self, fault: ServiceFault) -> None:
        """A probe was not answered: all links are to be built anew."""
        self.generation += 1
        if not self._silent:
            log.error(
                "queue_silent", part=self.part, quiet_seconds=round(now() - self.heard_at), reason=str(fault)
            )
        self._silent = True
        self.vitals.ill(self.part, str(fault))

    def warn_once(self, event: str, **fields: object) -> None:
        """Log what is to be said once in the life of the process."""
        if event not in self._told:
            self._told.add(event)
            log.warning(event, part=self.part, **fields)


class Watchdog:
    """Probes the queue's service when nothing was heard of it for a while.

    Args:
        watch: of the queue.
        probe: asks the service for a sign of life in bounded time, over a link of its own.
    """

    def __init__(self, watch: QueueWatch, probe: Callable[[], Awaitable[None]]) -> None:
        self._watch, self._probe = watch, probe
        self._probed_at = now()

    async def run(self) -> None:
        """Watch until cancelled."""
        vitals, times = self._watch.vitals, self._watch.times
        part = self._watch.watchdog
        vitals.expect(part, 2 * times.quiet + 2 * times.probe)
        try:
            while True:
                await asyncio.sleep(times.quiet / 4)
                vitals.beat(part)
                vitals.live()  # logs who is silent, also where no probe asks
                if now() - max(self._watch.heard_at, self._probed_at) >= times.quiet:
                    await self._ask()
        finally:
            vitals.forget(part)

    async def _ask(self) -> None:
        try:
            await self._probe()
        except ServiceFault as fault:
            if isinstance(fault, ConfigurationFault):
                self._watch.failed(fault)
            else:
                self._watch.silent(fault)
        else:
            self._watch.heard()
        self._probed_at = now()
