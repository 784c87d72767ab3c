"""Wiring of the worker's queues: receivers, and for each its watchdog and the eye on its dead letters."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

from worker.breaker import Breaker
from worker.browsing import Browser
from worker.dead_letters import Recorder, Sweeper
from worker.lanes import Lanes
from worker.scout import Scout
from worker.servicebus import Probe, Receiver, Sender
from worker.several_queues import SeveralQueues
from worker.watchdog import QueueWatch, Watchdog

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from azure.servicebus.aio import ServiceBusClient

    from worker import slot
    from worker.job_run import Services
    from worker.lane import Lane
    from worker.lifecycle import Duty

L = TypeVar("L", Browser, Probe, Receiver, Sender)
LINKS_OPENING = 16


class Links:
    """The worker's links to the namespace, closed together: each takes the SDK up to a second."""

    def __init__(self, servicebus: ServiceBusClient) -> None:
        self.servicebus = servicebus
        self._closers: list[Callable[[], Awaitable[None]]] = []
        self._senders: dict[tuple[str, bool], Sender] = {}

    def sender(self, name: str, *, is_topic: bool = False) -> Sender:
        """The one that sends to a queue or topic; it opens its link when it is first used."""
        key = name.lower(), is_topic
        if key not in self._senders:
            self._senders[key] = self.kept(Sender(self.servicebus, name, is_topic=is_topic))
        return self._senders[key]

    def kept(self, link: L) -> L:
        """The link, to be closed at the end."""
        self._closers.append(link.close)
        return link

    async def close(self) -> None:
        """Close all; what the broker has handed to them goes back to its queue."""
        await asyncio.gather(*(close() for close in self._closers))


class Queues:
    """The queues that a worker takes jobs from.

    Attributes:
        duties: what goes on beside the jobs, for each of the queues.
        browsers: look at the queues, by their names.
    """

    def __init__(self, services: Services, links: Links) -> None:
        self._services, self._links = services, links
        self._opening = asyncio.Semaphore(LINKS_OPENING)
        self.duties: list[Duty] = []
        self.browsers: dict[str, Browser] = {}
        lanes, vitals = services.settings.lanes, services.vitals
        self._new = [self._added(lane, is_one=len(lanes) == 1) for lane in lanes]
        names = (f"receiving from {lane.name}" for lane in lanes)
        self._lanes = Lanes(lanes, [Breaker(name, vitals, failures=1, parties=1) for name in names])

    def receiver(self) -> slot.Receiver:
        """A slot's own access to the queues; of one alone it is the receiver itself, with nothing around."""
        return self._new[0]() if len(self._new) == 1 else SeveralQueues(self._lanes, self._new)

    def _added(self, lane: Lane, *, is_one: bool) -> Callable[[], Receiver]:
        """What makes the slots' receivers of a queue, whose duties are added."""
        servicebus, kept = self._links.servicebus, self._links.kept
        watch = QueueWatch(self._services.vitals, queue="" if is_one else lane.name)
        probe, browser = kept(Probe(servicebus, lane.name, watch)), kept(Browser(servicebus, lane.name))
        self.browsers[lane.name] = browser
        recorder = Recorder(self._services.endings, self._services.settings.instance)
        self.duties += [Watchdog(watch, probe.ask).run, Sweeper(browser, recorder).run]
        if self._services.shares.look_ahead:
            self.duties.append(Scout(browser, watch.queue, self._services.shares).run)
        sender = self._sender(lane)
        return lambda: kept(Receiver(servicebus, lane.name, sender, self._opening, watch))

    def _sender(self, lane: Lane) -> Sender:
        """For copies: to the queue itself; for a subscription, which cannot be sent to, to the first."""
        return self._links.sender(self._services.settings.lanes[0].name if lane.subscription else lane.name)
