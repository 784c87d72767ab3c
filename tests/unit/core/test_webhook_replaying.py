"""Events sent again from the dead letters: whatever interrupts this, none is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.unit.core.calls import Calls
from tests.unit.core.fake_dead_letters import FakeDeadLetters, bury, letters
from tests.unit.core.fake_queue import Queue, Sent
from worker.faults import InfrastructureFault, LockLost
from worker.replaying import Pass, Tally
from worker.settlement import History
from worker.webhook_replaying import Resend

if TYPE_CHECKING:
    from collections.abc import Iterable

pytestmark = pytest.mark.usefixtures("alone")


async def replay(queue: Queue, calls: Calls | None = None, wanted: Iterable[int] | None = None) -> Tally:
    dead, tally = FakeDeadLetters(queue, calls or Calls()), Tally(set(wanted or letters(queue)))
    await Pass(dead, Resend(dead), 1000).run(tally)
    return tally


def given_up(queue: Queue, event_id: str = "e1", body: bytes | None = b"{}") -> int:
    history = History(attempts=7, copies=7, reasons=("503",), origin=3)
    return bury(queue, Sent(body, f"{event_id}:0a1b.r7-9", history), "webhook_exhausted")


async def test_an_event_is_sent_again_from_its_first_attempt_on() -> None:
    queue = Queue()
    number = given_up(queue)
    assert (await replay(queue)).fates == {"replayed": 1}
    (copy,) = queue.left
    assert (copy.body, copy.message_id) == (b"{}", f"e1:0a1b.d8-{number}")
    assert (copy.history.attempts, copy.history.copies, copy.history.origin) == (0, 8, 3)
    assert copy.history.reasons == ("503", "replayed from the dead letters: webhook_exhausted")
    assert letters(queue) == []


async def test_only_what_is_wanted_is_sent_again() -> None:
    queue = Queue()
    kept, wanted = given_up(queue, "e1"), given_up(queue, "e2")
    await replay(queue, wanted=[wanted])
    assert ([sent.message_id for sent in queue.left], letters(queue)) == ([f"e2:0a1b.d8-{wanted}"], [kept])


async def test_what_carries_no_data_stays() -> None:
    queue = Queue()
    number = given_up(queue, body=None)
    assert (await replay(queue)).left == 1
    assert (queue.left, letters(queue)) == ([], [number])


async def test_when_the_copy_cannot_be_sent_the_original_stays() -> None:
    queue, calls = Queue(), Calls()
    number = given_up(queue)
    calls.fail("send", InfrastructureFault("gone"))
    with pytest.raises(InfrastructureFault):
        await replay(queue, calls)
    assert (queue.left, letters(queue)) == ([], [number])


async def test_an_event_whose_lock_is_lost_after_its_copy_was_sent_is_not_sent_twice() -> None:
    queue, calls = Queue(lock_seconds=2), Calls()
    given_up(queue)
    calls.fail("complete", LockLost("late"))
    await replay(queue, calls)
    assert len(queue.left) == 1
    assert letters(queue) == []
