"""A queue in memory that schedules, cancels and remembers ids as the real one does; and a wall clock."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING, Any

from worker.faults import InfrastructureFault
from worker.schedules_file import parse_schedules
from worker.seen import Seen
from worker.settlement import History
from worker.supplying import Results, Supply

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from tests.unit.batch.fakes import MemoryBlobs
    from worker.messages import Outgoing
    from worker.schedule import SchedulesFile

WINDOW = timedelta(minutes=10)


class Clock:
    def __init__(self, moment: str = "2026-03-02T12:00:00Z") -> None:
        self.now = datetime.fromisoformat(moment)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **time: float) -> None:
        self.now += timedelta(**time)


@dataclass
class ScheduledQueue:
    """What schedulers see of a queue; whatever is due stays until the test takes it."""

    clock: Clock
    held: dict[int, tuple[Outgoing, History]] = field(default_factory=dict)
    ids: dict[str, datetime] = field(default_factory=dict)
    sent: list[str] = field(default_factory=list)
    looks: int = 0
    calls_left: int | None = None
    _numbers: count[int] = field(default_factory=lambda: count(1))

    def _call(self) -> None:
        if self.calls_left == 0:
            raise InfrastructureFault("crashed")
        if self.calls_left is not None:
            self.calls_left -= 1

    async def send(self, messages: Sequence[Outgoing]) -> None:
        self._call()
        for message in messages:
            self.sent.append(message.message_id)
            seen_at = self.ids.get(message.message_id)
            if seen_at is None or seen_at < self.clock() - WINDOW:
                self.ids[message.message_id] = self.clock()
                self.held[next(self._numbers)] = (message, History())

    async def cancel(self, numbers: Sequence[int]) -> set[int]:
        self._call()
        gone = {number for number in numbers if number not in self.held or not self._waits(number)}
        for number in set(numbers) - gone:
            del self.held[number]
        return gone

    async def messages(self, *, dead: bool = False) -> AsyncGenerator[Seen]:
        assert not dead
        self._call()
        self.looks += 1
        for number, (message, history) in list(self.held.items()):
            yield Seen(
                sequence_number=number,
                message_id=message.message_id,
                state="scheduled" if self._waits(number) else "active",
                body=message.body,
                history=history,
                properties={str(name): str(value) for name, value in message.properties.items()},
            )

    def retried(self, number: int, **later: float) -> int:
        """A copy takes the message's place, as when a worker tries its job again."""
        message, _ = self.held.pop(number)
        copy = next(self._numbers)
        due = self.clock() + timedelta(**later)
        self.held[copy] = (
            replace(message, message_id=f"{message.message_id}.r1-{number}", visible_at=due),
            History(copies=1),
        )
        return copy

    def take_due(self) -> list[dict[str, Any]]:
        """The jobs of what is due; it leaves the queue."""
        due = [number for number in self.held if not self._waits(number)]
        return [json.loads(self.held.pop(number)[0].body) for number in due]

    def jobs(self) -> list[str]:
        return [json.loads(message.body)["id"] for message, _ in self.held.values()]

    def _waits(self, number: int) -> bool:
        due = self.held[number][0].visible_at
        return due is not None and due > self.clock()


def supply(queue: ScheduledQueue, blobs: MemoryBlobs) -> Supply:
    return Supply(queue, queue, queue, Results(blobs, "results"), queue.clock)


def file(*schedules: dict[str, Any], group: str = "default") -> SchedulesFile:
    """Schedules, each a minute's unless it says otherwise."""
    whole = [{"cron": "* * * * *", "job": {"code": {"inline": "1"}}} | schedule for schedule in schedules]
    document = {"version": 1, "group": group, "schedules": whole}
    return parse_schedules(json.dumps(document).encode(), "s.json")


def at(text: str) -> datetime:
    """A time of the day on which the clock stands."""
    return datetime.fromisoformat(f"2026-03-02T{text}").replace(tzinfo=UTC)
