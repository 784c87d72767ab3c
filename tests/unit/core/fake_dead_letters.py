"""Looking at a fake queue, and its dead letters under lock; all calls are one process's."""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tests.unit.core.fake_queue import Queue, Sent
from worker.delivery import Delivery
from worker.faults import LockLost
from worker.local.broker.values import DeadLetter as Grave
from worker.local.broker.values import LockLostError
from worker.replaying import Taken
from worker.seen import Seen

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Coroutine

    from tests.unit.core.calls import Calls
    from worker.local.broker.values import Message
    from worker.settlement import History

PAGE = 4
RECEIVE_SECONDS = 1.0


def bury(queue: Queue, sent: Sent, reason: str | None = "MaxDeliveryCountExceeded", text: str = "") -> int:
    """Send a message and dead-letter it; its number."""
    queue.send(sent)
    message = queue.acquire()
    assert message
    assert message.token
    queue.rules.dead_letter(message.token, queue.advance(), Grave(reason, text))
    return message.sequence_number


def letters(queue: Queue) -> list[int]:
    """The numbers of all dead letters."""
    return [message.sequence_number for message in queue.rules.peek(1, 1000, dead_letters=True)]


def seen(queue: Queue, message: Message) -> Seen:
    sent, grave = queue.sent[message.key], message.dead_letter
    return Seen(
        sequence_number=message.sequence_number,
        message_id=sent.message_id,
        delivery_count=message.delivery_count,
        enqueued_at=datetime.fromtimestamp(message.enqueued_at, UTC),
        body=sent.body,
        history=sent.history,
        envelope=sent.envelope,
        reason=grave.reason if grave else None,
        description=grave.description if grave else None,
    )


async def ended(running: Coroutine[Any, Any, Any], calls: Calls) -> bool:
    """Let a process run to its end or its crash, and take away all that is left of it; whether it crashed."""
    task = asyncio.create_task(running)
    crash = asyncio.create_task(calls.crashed.wait())
    await asyncio.wait({task, crash}, return_when=asyncio.FIRST_COMPLETED)
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for other in others:
        other.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    if not calls.crashed.is_set():
        task.result()
    return calls.crashed.is_set()


class FakeBrowser:
    def __init__(self, queue: Queue, calls: Calls) -> None:
        self._queue, self._calls = queue, calls

    async def messages(
        self, *, dead: bool = False, start: int = 1, most: int | None = None
    ) -> AsyncGenerator[Seen]:
        for _ in range(0, sys.maxsize if most is None else most, PAGE):
            async with self._calls.call("peek"):
                self._queue.advance()
                page = self._queue.rules.peek(start, PAGE, dead_letters=dead)
            if not page:
                return
            for message in page:
                yield seen(self._queue, message)
            start = page[-1].sequence_number + 1


class FakeDeadLetters:
    def __init__(self, queue: Queue, calls: Calls) -> None:
        self._queue, self._calls = queue, calls

    async def receive(self, count: int) -> list[Taken]:
        async with self._calls.call("receive"):
            taken: list[Taken] = []
            while len(taken) < count:
                message = self._queue.rules.acquire(self._queue.advance(), dead_letters=True)
                if message is None:
                    break
                taken.append(self._taken(message))
            if not taken:
                await asyncio.sleep(RECEIVE_SECONDS)
        return taken

    async def renew(self, taken: Taken) -> None:
        async with self._calls.call("renew"):
            self._settled(self._queue.rules.renew, taken)

    async def resend(self, taken: Taken, message_id: str, history: History) -> None:
        async with self._calls.call("send"):
            self._queue.send(Sent(taken.delivery.body, message_id, history, envelope=taken.delivery.envelope))

    async def complete(self, taken: Taken) -> None:
        async with self._calls.call("complete"):
            self._settled(self._queue.rules.complete, taken)

    async def abandon(self, taken: Taken) -> None:
        async with self._calls.call("abandon"):
            self._settled(self._queue.rules.abandon, taken)

    def _taken(self, message: Message) -> Taken:
        letter = seen(self._queue, message)
        return Taken(
            letter,
            Delivery(
                body=letter.body,
                message_id=letter.message_id,
                sequence_number=letter.sequence_number,
                delivery_count=letter.delivery_count,
                history=letter.history,
                envelope=letter.envelope,
                lock_seconds=self._queue.rules.settings.lock_duration_seconds,
                handle=message.token,
            ),
        )

    def _settled(self, rule: Callable[[bytes, float], object], taken: Taken) -> None:
        token = taken.delivery.handle
        assert isinstance(token, bytes)
        try:
            rule(token, self._queue.advance())
        except LockLostError as error:
            raise LockLost("the broker says that the lock is lost") from error
