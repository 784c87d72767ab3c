"""How old the oldest message of a queue is, and when that is not known."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
import structlog

from worker.faults import InfrastructureFault
from worker.seen import Seen
from worker.telemetry.ages import MOST_PAGES, PAGE, OldestAges

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from worker.seen import State


class FakeQueue:
    def __init__(self, *messages: Seen) -> None:
        self.messages_left, self.looked_at = list(messages), 0
        self.fault: Exception | None = None

    async def messages(
        self, *, dead: bool = False, start: int = 1, most: int | None = None
    ) -> AsyncGenerator[Seen]:
        assert not dead
        if self.fault:
            raise self.fault
        found = [message for message in self.messages_left if message.sequence_number >= start][:most]
        for message in found:
            self.looked_at += 1
            yield message


def message(number: int, age_seconds: float = 0, state: State = "active") -> Seen:
    enqueued = datetime.now(UTC) - timedelta(seconds=age_seconds)
    return Seen(number, f"m{number}", state=state, enqueued_at=enqueued)


async def test_it_is_that_of_the_first_that_is_not_for_later() -> None:
    queue = FakeQueue(message(1, 900, "scheduled"), message(2, 60), message(3, 5))
    ages = OldestAges({"jobs": queue, "empty": FakeQueue()})
    await ages.look()
    assert ages.seconds == {"jobs": pytest.approx(60, abs=5), "empty": 0}


async def test_a_clock_that_is_behind_makes_no_negative_ages() -> None:
    ages = OldestAges({"jobs": FakeQueue(message(1, -30))})
    await ages.look()
    assert ages.seconds == {"jobs": 0}


@pytest.mark.parametrize("fault", [InfrastructureFault("out of reach"), ZeroDivisionError("a bug")])
async def test_of_a_queue_that_cannot_be_looked_at_nothing_is_told_and_the_others_are(
    fault: Exception,
) -> None:
    queue = FakeQueue(message(1, 60))
    ages = OldestAges({"jobs": queue, "other": FakeQueue()})
    await ages.look()
    queue.fault = fault
    with structlog.testing.capture_logs():
        await ages.look()
    assert ages.seconds == {"other": 0}
    queue.fault = None
    await ages.look()
    assert ages.seconds["jobs"] == pytest.approx(60, abs=5)


async def test_however_many_are_for_later_a_look_goes_so_far_and_no_further() -> None:
    later = [message(number, 60, "scheduled") for number in range(1, 2 * MOST_PAGES * PAGE)]
    queue = FakeQueue(*later, message(len(later) + 1, 60))
    ages = OldestAges({"jobs": queue})
    await ages.look()
    assert (ages.seconds, queue.looked_at) == ({}, MOST_PAGES * PAGE)


async def test_the_next_look_begins_where_the_last_one_found_something_and_again_when_nothing_is_left() -> (
    None
):
    later = [message(number, 60, "scheduled") for number in range(1, 101)]
    queue = FakeQueue(*later, message(101, 60), message(102, 30))
    ages = OldestAges({"jobs": queue})
    await ages.look()
    looked_at = queue.looked_at
    await ages.look()
    assert queue.looked_at - looked_at == 2
    queue.messages_left = []
    await ages.look()
    queue.messages_left = [message(1, 20)]  # of a queue that was made anew
    await ages.look()
    assert ages.seconds == {"jobs": pytest.approx(20, abs=5)}
