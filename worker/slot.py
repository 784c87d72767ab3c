"""A slot: receive one message, handle it, settle it, again. The number of slots bounds work and memory."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

import structlog

from worker.clock import now
from worker.delivery import keep_lock
from worker.faults import LockLost, ServiceFault
from worker.patience import backoff_seconds
from worker.settlement import HandBack, LetGo, Retry

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterator

    from worker.delivery import Delivery
    from worker.settlement import Settlement

log = structlog.get_logger()
LONGEST_PAUSE_SECONDS = 30.0


class Receiver(Protocol):
    """What is needed of the queue; see ``worker.servicebus.Receiver``. Used by one coroutine at a time."""

    async def receive(self) -> Delivery | None: ...  # noqa: D102 - the adapter says

    async def renew(self, delivery: Delivery) -> None: ...  # noqa: D102

    async def settle(self, delivery: Delivery, settlement: Settlement) -> None: ...  # noqa: D102

    async def is_queue_empty(self) -> bool: ...  # noqa: D102

    async def close(self) -> None: ...  # noqa: D102


class Handler(Protocol):
    """Turns deliveries into settlements; see ``worker.processor.Processor``."""

    def process(self, delivery: Delivery) -> Awaitable[Settlement]: ...  # noqa: D102


class Intake:
    """Whether the slots of a worker take messages; shared by all of them.

    Attributes:
        stop: set once, for good.
        busy: how many slots have a message in hand.
    """

    def __init__(self, stop: asyncio.Event) -> None:
        self.stop = stop
        self.busy = 0
        self._receiving = 0
        self._quiet = asyncio.Event()
        self._faults = 0
        self._resume_at = 0.0

    @contextmanager
    def receiving(self) -> Iterator[None]:
        """For as long as a slot may be given a message."""
        self._receiving += 1
        self._quiet.clear()
        try:
            yield
        finally:
            self._receiving -= 1
            if not self._receiving:
                self._quiet.set()

    async def quiet(self) -> None:
        """Wait until no slot is receiving. After a stop this is soon, and remains so.

        A message handed back sooner would go round the worker's own slots, and use up its deliveries.
        """
        await self._quiet.wait()

    async def pause_after_fault(self) -> None:
        """Wait until it is worth another try, or the worker stops.

        The faults of many slots within one pause are one: they tell of the same outage.
        """
        if now() >= self._resume_at:
            self._resume_at = now() + backoff_seconds(self._faults, 0.5, LONGEST_PAUSE_SECONDS)
            self._faults += 1
        try:
            await asyncio.wait_for(self.stop.wait(), self._resume_at - now())
        except TimeoutError:
            return

    def worked(self) -> None:
        """The services do their part."""
        self._faults = 0


class Slot:
    """One of the worker's loops, with a receiver of its own."""

    def __init__(self, receiver: Receiver, handler: Handler, intake: Intake, *, drain: bool = False) -> None:
        self._receiver, self._handler, self._intake, self._drain = receiver, handler, intake, drain
        self._work: asyncio.Task[Settlement] | None = None

    async def run(self) -> None:
        """Take and handle messages until the worker stops or, when draining, the queue is empty."""
        try:
            while not self._intake.stop.is_set():
                try:
                    await self._turn()
                except ServiceFault as fault:
                    log.warning("queue_unavailable", reason=str(fault))
                    await self._intake.pause_after_fault()
        finally:
            await asyncio.shield(self._receiver.close())

    def abort(self) -> None:
        """Stop the job in hand: its session is deleted and its message handed back."""
        if self._work:
            self._work.cancel()

    async def _turn(self) -> None:
        with self._intake.receiving():
            delivery = await self._receiver.receive()
        if delivery is None:
            if self._drain and not self._intake.busy and await self._receiver.is_queue_empty():
                self._intake.stop.set()
            return
        self._intake.busy += 1
        try:
            with structlog.contextvars.bound_contextvars(
                message_id=delivery.message_id,
                sequence_number=delivery.sequence_number,
                delivery_count=delivery.delivery_count,
            ):
                await self._handle(delivery)
        finally:
            self._intake.busy -= 1

    async def _handle(self, delivery: Delivery) -> None:
        settlement = HandBack() if self._intake.stop.is_set() else await self._settlement(delivery)
        if isinstance(settlement, HandBack):
            await self._intake.quiet()
        try:
            await self._receiver.settle(delivery, settlement)
        except LockLost:
            log.warning("settlement_uncertain", settlement=type(settlement).__name__)
        if isinstance(settlement, Retry):
            log.info(
                "job_rescheduled",
                delay_seconds=round(settlement.delay, 1),
                attempts=settlement.history.attempts,
            )
            await self._intake.pause_after_fault()
        else:
            self._intake.worked()

    async def _settlement(self, delivery: Delivery) -> Settlement:
        """Process under the lock. The renewer has ended when this returns: the receiver is free again."""
        done = asyncio.Event()
        work = self._work = asyncio.ensure_future(self._handler.process(delivery))
        keeper = asyncio.create_task(keep_lock(delivery, lambda: self._receiver.renew(delivery), done))
        try:
            await asyncio.wait({work, keeper}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._work = None
            if not work.done():
                work.cancel()
            done.set()
            await asyncio.wait({work, keeper})
        if keeper.exception():
            log.warning("lock_lost", reason=str(keeper.exception()))
            return LetGo()
        if work.cancelled():
            log.info("job_handed_back")
            return HandBack()
        return work.result()
