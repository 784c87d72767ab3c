"""Adapter that takes scheduled messages back."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from azure.servicebus.exceptions import MessageNotFoundError

from worker.link import closed, mapped
from worker.servicebus import CALL_SECONDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from azure.servicebus.aio import ServiceBusClient, ServiceBusSender

CHUNK = 100


class Unscheduler:
    """Takes back what is scheduled in one queue; for one coroutine at a time.

    Args:
        client: of its own, which repeats nothing: the SDK repeats a call also when there is no such message,
            for eleven seconds.
        queue: the queue's name.
    """

    def __init__(self, client: ServiceBusClient, queue: str) -> None:
        self._client, self._queue = client, queue
        self._sender: ServiceBusSender | None = None

    async def cancel(self, numbers: Sequence[int]) -> set[int]:
        """Take messages back; the numbers of those that were there no more.

        They have become due meanwhile, or another has taken them back.

        Raises:
            ServiceFault: the service does not do its part; any of the messages may have been taken back.
        """
        gone: set[int] = set()
        for start in range(0, len(numbers), CHUNK):
            chunk = list(numbers[start : start + CHUNK])
            if not await self._is_cancelled(chunk):
                gone |= {number for number in chunk if not await self._is_cancelled([number])}
        return gone

    async def close(self) -> None:
        """Close the link."""
        sender, self._sender = self._sender, None
        if sender:
            await closed(sender)

    async def _is_cancelled(self, numbers: list[int]) -> bool:
        """False when one of them is there no more."""
        try:
            with mapped(self._queue):
                async with asyncio.timeout(CALL_SECONDS):
                    return await self._cancel(numbers)
        except BaseException:
            await self.close()  # a link that failed or was left in mid-call cannot be used again
            raise

    async def _cancel(self, numbers: list[int]) -> bool:
        if self._sender is None:
            self._sender = self._client.get_queue_sender(self._queue)
        try:
            await self._sender.cancel_scheduled_messages(numbers, timeout=CALL_SECONDS)
        except MessageNotFoundError:
            return False
        return True
