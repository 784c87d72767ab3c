"""A slot: receive one message, handle it, settle it, again. The number of slots bounds work and memory."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

import structlog

from worker.delivery import keep_lock
from worker.faults import LockLost, ServiceFault
from worker.observing import outcome_of
from worker.settlement import HandBack, LetGo, Retry

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from worker.delivery import Delivery
    from worker.intake import Intake
    from worker.observing import Outcome
    from worker.settlement import Settlement
    from worker.vitals import Vitals

log = structlog.get_logger()
SILENCE_SECONDS = 300.0  # a lock is at most as long, and renewed at its thirds


class Receiver(Protocol):
    """What is needed of the queue; see ``worker.servicebus.Receiver``. Used by one coroutine at a time."""

    async def receive(self) -> Delivery | None: ...  # noqa: D102 - the adapter says

    async def renew(self, delivery: Delivery) -> None: ...  # noqa: D102

    async def settle(self, delivery: Delivery, settlement: Settlement) -> None: ...  # noqa: D102

    async def is_queue_empty(self) -> bool: ...  # noqa: D102

    def rest(self) -> None: ...  # noqa: D102


class Handler(Protocol):
    """Turns deliveries into settlements; see ``worker.processor.Processor``."""

    def process(self, delivery: Delivery) -> Awaitable[Settlement]: ...  # noqa: D102


class Slot:
    """One of the worker's loops, with a receiver of its own.

    Args:
        name: its part in the worker's vitals: it beats at each turn and each renewal of a lock.
        receiver: its own.
        handler: turns deliveries into settlements.
        intake: shared by all slots.
        vitals: the worker's.
        drain: stop the worker when the queue is empty.
    """

    def __init__(  # noqa: PLR0913 - wiring
        self,
        name: str,
        receiver: Receiver,
        handler: Handler,
        intake: Intake,
        vitals: Vitals,
        *,
        drain: bool = False,
    ) -> None:
        self._name, self._receiver, self._handler = name, receiver, handler
        self._intake, self._vitals, self._drain = intake, vitals, drain
        self._work: asyncio.Task[Settlement] | None = None

    async def run(self) -> None:
        """Take and handle messages until the worker stops or, when draining, the queue is empty."""
        self._vitals.expect(self._name, SILENCE_SECONDS)
        self._intake.open += 1
        try:
            while not self._intake.stop.is_set():
                self._vitals.beat(self._name)
                if self._intake.is_welcome():
                    await self._watched_turn()
                else:
                    self._receiver.rest()
                    await self._intake.change()
        finally:
            self._intake.open -= 1
            self._vitals.forget(self._name)
            self._receiver.rest()

    def abort(self) -> None:
        """Stop the job in hand: its session is deleted and its message handed back."""
        if self._work:
            self._work.cancel()

    async def _watched_turn(self) -> None:
        try:
            await self._turn()
        except ServiceFault as fault:
            log.warning("queue_unavailable", reason=str(fault))
            self._intake.queue.failed(self._name, str(fault))

    async def _turn(self) -> None:
        with self._intake.receiving():
            delivery = await self._receiver.receive()
        self._intake.queue.worked(self._name)
        if delivery is None:
            if self._drain and await self._is_all_done():
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

    async def _is_all_done(self) -> bool:
        if self._intake.busy or not await self._receiver.is_queue_empty():
            return False
        return await self._intake.is_clear_beside()

    async def _handle(self, delivery: Delivery) -> None:
        settlement = HandBack() if self._intake.stop.is_set() else await self._settlement(delivery)
        if isinstance(settlement, HandBack):
            await self._intake.quiet()
        outcome: Outcome = "uncertain"
        try:
            if isinstance(settlement, Retry):  # of a message that is another's already there must be no copy
                await self._receiver.renew(delivery)
            await self._receiver.settle(delivery, settlement)
            outcome = outcome_of(settlement)
        except LockLost:
            log.warning("settlement_uncertain", settlement=type(settlement).__name__)
        finally:
            self._intake.observer.settled(delivery, settlement, outcome)
        if isinstance(settlement, Retry) and settlement.history.yields == delivery.history.yields:
            log.info(
                "message_rescheduled",
                delay_seconds=round(settlement.delay, 1),
                attempts=settlement.history.attempts,
            )

    async def _renew(self, delivery: Delivery) -> None:
        self._vitals.beat(self._name)
        await self._receiver.renew(delivery)

    async def _settlement(self, delivery: Delivery) -> Settlement:
        """Process under the lock. The renewer has ended when this returns: the receiver is free again."""
        done, observer = asyncio.Event(), self._intake.observer
        work = self._work = asyncio.ensure_future(self._handler.process(delivery))
        keeper = asyncio.create_task(
            keep_lock(
                delivery,
                lambda: self._renew(delivery),
                done,
                lambda how: observer.lock_renewal(delivery, how),
            )
        )
        try:
            await asyncio.wait({work, keeper}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._work = None
            if not work.done():
                work.cancel()
            done.set()
            await asyncio.wait({work, keeper})
        if error := keeper.exception():
            log.warning("lock_lost", reason=str(error) or repr(error))
            observer.lock_renewal(delivery, "lost")
            return LetGo()
        if work.cancelled():
            log.info("message_handed_back")
            return HandBack()
        return work.result()
