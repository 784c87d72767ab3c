"""Workers that are wrong in one thing each, by what stands between them and the services.

The checker must find fault with every one of them: it proves what it finds in the worker as it is.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from tests.simulation.deployed import Deployed
from tests.unit.core.fake_blobs import FakeBlobs
from tests.unit.core.fake_pool import FakePool
from tests.unit.core.fake_queue import FakeReceiver
from worker.faults import LockLost, ServiceFault
from worker.settlement import Complete, DeadLetter, HandBack, LetGo, Retry

if TYPE_CHECKING:
    from worker.delivery import Delivery
    from worker.settlement import Settlement


class _Abandoning(FakeReceiver):
    async def settle(self, delivery: Delivery, settlement: Settlement) -> None:
        await super().settle(delivery, HandBack() if isinstance(settlement, Retry) else settlement)


class AbandonsOnFaults(Deployed):
    """Gives the message back at once where a copy for later belongs; the queue counts ten deliveries."""

    receiver_class = _Abandoning


class _Overwriting(FakeBlobs):
    async def create(
        self,
        blob: str,
        data: bytes,
        *,
        metadata: dict[str, str] | None = None,
        content_type: str = "application/json",
    ) -> str:
        if not blob.endswith("/result.json"):
            return await super().create(blob, data, metadata=metadata, content_type=content_type)
        async with self._calls.call("create"):
            return self._account.write(blob, data, metadata)


class OverwritesResults(Deployed):
    """Commits without a condition."""

    blobs_class = _Overwriting


class _SameId(FakeReceiver):
    @staticmethod
    def _copy_id(delivery: Delivery, retry: Retry) -> str:
        del retry
        return delivery.message_id


class SendsCopiesUnderTheSameId(Deployed):
    """The queue's duplicate detection takes the copy for one it has."""

    receiver_class = _SameId


class _Eager(FakeReceiver):
    async def receive(self) -> Delivery | None:
        delivery = await super().receive()
        if delivery:
            with suppress(ServiceFault, LockLost):
                await super().settle(delivery, Complete())
        return delivery

    async def renew(self, delivery: Delivery) -> None:
        """There is nothing to renew any more."""

    async def settle(self, delivery: Delivery, settlement: Settlement) -> None:
        with suppress(LockLost):
            await super().settle(delivery, settlement)


class CompletesBeforeTheCommit(Deployed):
    """Takes messages off the queue when it receives them."""

    receiver_class = _Eager


class _Careless(FakePool):
    async def release(self, permit: int, identifier: str) -> bool:
        task = asyncio.create_task(self._release_later(permit, identifier))
        _LATER.add(task)
        task.add_done_callback(_LATER.discard)
        return False

    async def _release_later(self, permit: int, identifier: str) -> None:
        await asyncio.sleep(2)
        with suppress(ServiceFault):
            await super().release(permit, identifier)


_LATER: set[asyncio.Task[None]] = set()


class ReleasesPermitsTooSoon(Deployed):
    """Gives the permit back before the pool has deleted the session."""

    pool_class = _Careless


class _Unfenced(FakePool):
    async def identifiers(self, permit: int) -> list[str]:
        del permit
        return []


class DoesNotFence(Deployed):
    """Lets the sessions of former deliveries run."""

    pool_class = _Unfenced


class _Deaf(FakeReceiver):
    async def renew(self, delivery: Delivery) -> None:
        with suppress(LockLost, ServiceFault):
            await super().renew(delivery)


class KeepsOnWithoutALock(Deployed):
    """Takes no notice of a lock that it has lost, and overwrites what the next holder has committed."""

    receiver_class = _Deaf
    blobs_class = _Overwriting


class _Silent(FakeReceiver):
    async def settle(self, delivery: Delivery, settlement: Settlement) -> None:
        if isinstance(settlement, DeadLetter):
            settlement = LetGo()
        await super().settle(delivery, settlement)


class NeverSettlesInvalidMessages(Deployed):
    """Lets the lock of what it rejects expire: the message comes again and again."""

    receiver_class = _Silent


class _NoCommit(FakeBlobs):
    async def create(
        self,
        blob: str,
        data: bytes,
        *,
        metadata: dict[str, str] | None = None,
        content_type: str = "application/json",
    ) -> str:
        if blob.endswith("/result.json") and b'"infrastructure_failed"' in data:
            return ""
        return await super().create(blob, data, metadata=metadata, content_type=content_type)


class BuriesWithoutAResult(Deployed):
    """Dead-letters what it gives up, and writes no result for it."""

    blobs_class = _NoCommit
