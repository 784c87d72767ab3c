"""From start to stop: opens the slots, watches over them, and ends them in two stages."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from worker.slot import Intake, Slot

if TYPE_CHECKING:
    from collections.abc import Callable

    from worker.session_leases import SessionLeases
    from worker.settings import WorkerSettings
    from worker.slot import Handler, Receiver

log = structlog.get_logger()
CLEANUP_SECONDS = 20.0


class Worker:
    """The slots of one process."""

    def __init__(
        self,
        settings: WorkerSettings,
        handler: Handler,
        leases: SessionLeases,
        new_receiver: Callable[[], Receiver],
    ) -> None:
        self._settings, self._handler, self._leases = settings, handler, leases
        self._new_receiver = new_receiver

    async def run(self, stop: asyncio.Event, *, drain: bool) -> int:
        """Work until ``stop`` is set or, when draining, the queue is empty; returns the exit status.

        When it stops, running jobs get the grace of the settings; those that do not end in it are stopped,
        their sessions deleted and their messages handed back. A slot that ends by an error stops the worker.
        """
        intake = Intake(stop)
        slots = [
            Slot(self._new_receiver(), self._handler, intake, drain=drain)
            for _ in range(self._settings.slots)
        ]
        tasks = [asyncio.create_task(slot.run()) for slot in slots]
        stopping = asyncio.create_task(stop.wait())
        log.info("worker_started", slots=len(slots), max_sessions=self._settings.max_sessions)
        try:
            await asyncio.wait({stopping, *tasks}, return_when=asyncio.FIRST_COMPLETED)
            stop.set()
            log.info("worker_stopping", busy=intake.busy, grace_seconds=self._settings.shutdown_grace_seconds)
            await asyncio.wait(tasks, timeout=self._settings.shutdown_grace_seconds)
        finally:
            stop.set()
            await self._end(slots, tasks)
            stopping.cancel()
        return self._status(tasks)

    async def _end(self, slots: list[Slot], tasks: list[asyncio.Task[None]]) -> None:
        for slot in slots:
            slot.abort()
        _, left = await asyncio.wait(tasks, timeout=CLEANUP_SECONDS)
        for task in left:
            task.cancel()
        try:
            await asyncio.wait_for(self._leases.close(), CLEANUP_SECONDS)
        except TimeoutError:
            log.exception("sessions_left_behind", remedy="the pool removes them after its cooldown")

    @staticmethod
    def _status(tasks: list[asyncio.Task[None]]) -> int:
        broken = [task for task in tasks if not task.done() or task.cancelled() or task.exception()]
        for task in broken:
            error = task.exception() if task.done() and not task.cancelled() else None
            log.error("slot_ended_badly", exc_info=error)
        log.info("worker_stopped", status=1 if broken else 0)
        return 1 if broken else 0
