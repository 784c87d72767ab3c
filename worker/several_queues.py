"""A slot's access to several queues as if they were one; used by one coroutine at a time, as each of them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from worker.faults import ServiceFault

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from worker.delivery import Delivery
    from worker.lanes import Choice, Lanes
    from worker.settlement import Settlement
    from worker.slot import Receiver

log = structlog.get_logger()
OUTAGE_SECONDS = 1.0  # between two looks whether a queue may be tried again, when none may


class SeveralQueues:
    """Takes each message from the queue whose turn it is; a fault of one does not stop the others.

    Args:
        lanes: whose turn it is; shared by all slots.
        new_receivers: makes the slot's own receiver of each queue, when it is needed first.
    """

    def __init__(self, lanes: Lanes, new_receivers: Sequence[Callable[[], Receiver]]) -> None:
        self._lanes, self._new = lanes, new_receivers
        self._receivers: dict[int, Receiver] = {}
        self._listening: int | None = None
        self._holder: Receiver  # of the message in hand

    async def receive(self) -> Delivery | None:
        """Wait a short time for a message of the queue whose turn it is. Not to be cancelled."""
        choice = self._lanes.choose()
        if choice is None:
            await asyncio.sleep(OUTAGE_SECONDS)
            return None
        try:
            delivery = await self._received(choice)
        except ServiceFault as fault:
            log.warning("queue_unavailable", queue=self._lanes.lanes[choice.index].name, reason=str(fault))
            self._lanes.failed(choice.index, str(fault))
            return None
        finally:
            self._lanes.ended(choice.index)
        if delivery:
            self._holder = self._receiver(choice.index)
        return delivery

    async def renew(self, delivery: Delivery) -> None:
        """Renew the lock of the message in hand, as its queue's receiver does."""
        await self._holder.renew(delivery)

    async def settle(self, delivery: Delivery, settlement: Settlement) -> None:
        """Settle the message in hand, as its queue's receiver does."""
        await self._holder.settle(delivery, settlement)

    async def is_queue_empty(self) -> bool:
        """Whether no queue holds a message. One that cannot be asked may hold some.

        The first comes last, since copies of what the others hold may go there.
        """
        try:
            for index in reversed(range(len(self._new))):
                if not await self._receiver(index).is_queue_empty():
                    return False
        except ServiceFault as fault:
            self._lanes.failed(index, str(fault))
            return False
        return True

    def rest(self) -> None:
        """Leave all links."""
        for receiver in self._receivers.values():
            receiver.rest()
        self._listening = None

    async def _received(self, choice: Choice) -> Delivery | None:
        index = choice.index
        receiver = self._receiver(index)
        if choice.is_scout and await receiver.is_queue_empty():
            self._lanes.empty(index)
            return None
        self._leave_others(index)
        delivery = await receiver.receive()
        if delivery:
            self._lanes.found(index)
        elif choice.is_scout:
            self._lanes.vain(index)
        else:
            self._lanes.empty(index)
        self._listening = None if delivery else index
        return delivery

    def _leave_others(self, index: int) -> None:
        """The link of a receive that came back without a message would still be handed the next one."""
        if self._listening is not None and self._listening != index:
            self._receiver(self._listening).rest()
        self._listening = index

    def _receiver(self, index: int) -> Receiver:
        if index not in self._receivers:
            self._receivers[index] = self._new[index]()
        return self._receivers[index]
