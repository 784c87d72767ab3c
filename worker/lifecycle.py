"""From start to stop: opens the slots, watches over them, and ends them in two stages."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Coroutine, Iterable
from typing import TYPE_CHECKING, Any

import structlog

from worker.breaker import Breaker
from worker.clock import now
from worker.intake import Intake
from worker.slot import Slot

if TYPE_CHECKING:
    from worker.job_run import Services
    from worker.permits import Permits
    from worker.side_queue import SideQueue
    from worker.slot import Handler, Receiver

log = structlog.get_logger()
CLEANUP_SECONDS = 6.0  # for messages to be handed back and links to be closed
LOOK_SECONDS, IDLE_LOOKS = 1.0, 3  # while jobs end: a message may still arrive in the first second
CANCELLED_SECONDS = 2.0  # for what was cancelled to clean up
SESSIONS_SECONDS = 3.0  # for sessions to be deleted after that


Duty = Callable[[], Coroutine[Any, Any, None]]


class Worker:
    """The slots of one process, and what must go on beside them.

    Args:
        services: what jobs need.
        permits: bound the messages in hand.
        handler: turns deliveries into settlements.
        new_receiver: makes a receiver for each slot.
        duties: what runs as long as the slots do; one that ends by itself stops the worker.
        side_queues: queues beside those of the jobs; their slots end as those of jobs do.

    Attributes:
        intakes: what the slots share, those of the jobs first; nothing before it runs.
    """

    def __init__(  # noqa: PLR0913 - wiring
        self,
        services: Services,
        permits: Permits,
        handler: Handler,
        new_receiver: Callable[[], Receiver],
        duties: Iterable[Duty] = (),
        *,
        side_queues: Iterable[SideQueue] = (),
    ) -> None:
        self._settings, self._services, self._permits = services.settings, services, permits
        self._handler, self._new_receiver, self._duties = handler, new_receiver, tuple(duties)
        self._beside = tuple(side_queues)
        self.intakes: tuple[Intake, ...] = ()

    async def run(self, stop: asyncio.Event, *, drain: bool) -> int:
        """Work until ``stop`` is set or, when draining, the queue is empty; returns the exit status.

        When it stops, running jobs get the grace of the settings; those that do not end in it are stopped,
        their sessions deleted and their messages handed back. A slot or duty that ends by an error stops the
        worker.
        """
        vitals, grace = self._services.vitals, self._settings.shutdown_grace_seconds
        self.intakes, slots = self._slots(stop, drain=drain)
        tasks = [asyncio.create_task(slot.run()) for slot in slots]
        duties = [asyncio.create_task(duty()) for duty in self._duties]
        stopping = asyncio.create_task(stop.wait())
        log.info("worker_started", slots=len(slots), max_sessions=self._settings.max_sessions)
        vitals.started()
        try:
            await asyncio.wait({stopping, *tasks, *duties}, return_when=asyncio.FIRST_COMPLETED)
            broken = [task for task in duties if task.done()]
            stop.set()
            vitals.stopping()
            log.info("worker_stopping", busy=sum(intake.busy for intake in self.intakes), grace_seconds=grace)
            await self._grace(tasks)
        finally:
            stop.set()
            await self._end(slots, tasks)
            stopping.cancel()
            # together: what permits are leased for has ended, and no lease runs out in so short a time
            await asyncio.gather(self._delete_sessions(), _ended(duties))
        return self._status(tasks + broken)

    def _slots(self, stop: asyncio.Event, *, drain: bool) -> tuple[tuple[Intake, ...], list[Slot]]:
        """Those of jobs and those beside them, each with what it shares with others of its kind."""
        opened = [queue.opened(stop, self._services.vitals) for queue in self._beside]
        intake, slots = self._job_slots(stop, drain=drain)
        beside = [slot for _, others in opened for slot in others]
        return (intake, *(intake for intake, _ in opened)), slots + beside

    def _job_slots(self, stop: asyncio.Event, *, drain: bool) -> tuple[Intake, list[Slot]]:
        settings, services = self._settings, self._services
        queue = Breaker("receiving", services.vitals, failures=1, parties=1)
        # with leases one that waits is what shows that more permits are wanted
        look_ahead = max(settings.slots - settings.own_sessions, int(settings.permit_leases))
        intake = Intake(
            stop,
            queue,
            services.breaker,
            self._permits,
            look_ahead,
            is_clear_beside=self._is_clear_beside,
            observer=services.observer,
        )
        names = (f"slot {number}" for number in range(settings.slots))
        return intake, [
            Slot(name, self._new_receiver(), self._handler, intake, services.vitals, drain=drain)
            for name in names
        ]

    async def _is_clear_beside(self) -> bool:
        return all([await queue.is_clear() for queue in self._beside])

    async def _grace(self, tasks: list[asyncio.Task[None]]) -> None:
        """Let running jobs end; slots without one, whose queue may hang, are not waited for."""
        left, until = set(tasks), now() + self._settings.shutdown_grace_seconds
        idle_looks = 0
        while left and now() < until and idle_looks < IDLE_LOOKS:
            _, left = await asyncio.wait(left, timeout=min(LOOK_SECONDS, until - now()))
            idle_looks = 0 if any(intake.busy for intake in self.intakes) else idle_looks + 1

    async def _end(self, slots: list[Slot], tasks: list[asyncio.Task[None]]) -> None:
        for slot in slots:
            slot.abort()
        _, left = await asyncio.wait(tasks, timeout=CLEANUP_SECONDS)
        if left:
            log.warning("slots_cut_off", count=len(left), consequence="messages in hand come again later")
        await _ended(left)

    async def _delete_sessions(self) -> None:
        """Those that were kept, and those whose deletion is under way."""
        try:
            await asyncio.wait_for(self._services.leases.close(), SESSIONS_SECONDS)
        except TimeoutError:
            log.exception("sessions_left_behind", remedy="the pool removes them after its cooldown")

    @staticmethod
    def _status(tasks: list[asyncio.Task[None]]) -> int:
        broken = [task for task in tasks if task.done() and not task.cancelled() and task.exception()]
        for task in broken:
            log.error("task_ended_badly", exc_info=task.exception())
        log.info("worker_stopped", status=1 if broken else 0)
        return 1 if broken else 0


async def _ended(tasks: Collection[asyncio.Task[None]]) -> None:
    """Cancel tasks and wait a while for their ends."""
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=CANCELLED_SECONDS)
