"""Fair shares: a batch that has most of the slots lets a smaller one pass that waits behind it.

A queue gives out its messages in their order, so a message that is to come sooner needs those before it to
go to the end. The slots beyond the sessions do that, and the sessions go on with the large batch meanwhile.
Nothing here waits; ``worker.scout`` tells what is in the queue, ``worker.processor`` what is in hand.
"""

from __future__ import annotations

import heapq
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from worker.delivery import Delivery

log = structlog.get_logger()
MOST_YIELDS = 3  # of one message
SMALLER = 2  # how many times a batch must be as large as one that it gives way to, or they would take turns
_MOSTLY = 0.75  # of what is in hand: then it is worth looking what waits behind


@dataclass
class _Waiting:
    """Messages of one batch that were seen and not yet received; ``last`` is the last one's number."""

    count: int = 0
    last: int = 0


@dataclass
class Line:
    """One queue's messages by batch: how many are in hand in this worker, and how many were seen waiting.

    Attributes:
        head: the highest sequence number received; what waits is behind it.
        seen_to: up to which number the queue was looked at.
    """

    head: int = 0
    seen_to: int = 0
    in_hand: Counter[str] = field(default_factory=Counter)
    _waiting: dict[str, _Waiting] = field(default_factory=dict)
    _ends: list[tuple[int, str]] = field(default_factory=list)
    _look: dict[str, _Waiting] = field(default_factory=dict)
    _looked_to: int = 0

    def received(self, number: int, batch: str) -> None:
        """A message came for the first time."""
        found = self._waiting if number <= self.seen_to else self._look
        if (waiting := found.get(batch)) and number <= max(self.seen_to, self._looked_to):
            waiting.count -= 1
            if waiting.count <= 0:
                del found[batch]
        self.head = max(self.head, number)
        while self._ends and self._ends[0][0] <= self.head:
            last, passed = heapq.heappop(self._ends)
            if passed in self._waiting and self._waiting[passed].last == last:
                del self._waiting[passed]

    def begin_look(self) -> int:
        """The number from which on to look: each message is looked at once, unless a look is broken off."""
        self._look, self._looked_to = {}, 0
        return max(self.head, self.seen_to) + 1

    def saw(self, number: int, batch: str, *, is_waiting: bool) -> None:
        """A look has come to a message, which waits or is scheduled."""
        self._looked_to = number
        if is_waiting and number > self.head:
            waiting = self._look.setdefault(batch, _Waiting())
            waiting.count, waiting.last = waiting.count + 1, number

    def end_look(self) -> None:
        """The look has come to its end: what it saw counts from now on."""
        for batch, seen in self._look.items():
            if seen.last > self.head:
                waiting = self._waiting.setdefault(batch, _Waiting())
                waiting.count, waiting.last = waiting.count + seen.count, seen.last
                heapq.heappush(self._ends, (seen.last, batch))
        self.seen_to = max(self.seen_to, self._looked_to)
        self._look, self._looked_to = {}, 0

    def one_prevails(self) -> bool:
        """Whether nearly all in hand is of one batch."""
        return max(self.in_hand.values(), default=0) >= max(1.0, _MOSTLY * self.in_hand.total())

    def passing(self, batch: str) -> str | None:
        """The batch that another message of this one lets pass, if any.

        That is one with less than its share in hand, and far fewer messages left than this one, which has
        more than its share.
        """
        contending = len(self._waiting) + sum(name not in self._waiting for name in {batch, *self.in_hand})
        total = self.in_hand.total()
        share = max(min(1, total), (total + 1) / contending)  # one is a share, unless there is but one slot
        if batch not in self._waiting or self.in_hand[batch] + 1 <= share:
            return None
        most = self._waiting[batch].count // SMALLER
        others = ((name, waiting.count) for name, waiting in self._waiting.items() if name != batch)
        return next((name for name, count in others if count <= most and self.in_hand[name] < share), None)


class Shares:
    """What the worker has in hand, queue by queue, and whether a message is to let others pass.

    Args:
        look_ahead: how many messages behind the head of a queue are looked at; 0 for none, and nobody passes.
        sessions: how many sessions may be in use now; those are kept busy whoever is to pass.
        beyond: how many messages may be in hand beyond that number.
    """

    def __init__(self, look_ahead: int = 0, sessions: Callable[[], int] = int, beyond: int = 0) -> None:
        self.look_ahead, self._sessions, self._beyond = look_ahead, sessions, beyond
        self._lines: dict[str, Line] = {}
        self._told: tuple[str, str] | None = None

    def line(self, queue: str) -> Line:
        """What is known of one queue."""
        return self._lines.setdefault(queue, Line())

    def gives_way(self, delivery: Delivery, batch: str) -> bool:
        """Take note of a delivery, and say whether its message is to go to the end of its queue.

        It never is when something may have been done for it already, or when a session would be idle.
        """
        line = self.line(delivery.queue)
        if delivery.delivery_count:
            return False
        line.received(delivery.sequence_number, batch)
        if delivery.history.yields >= MOST_YIELDS or not self.is_busy():
            return False
        other = line.passing(batch)
        if other and self._told != (batch, other):
            log.info("batch_gives_way", batch=batch, to=other)
            self._told = (batch, other)
        return other is not None

    @contextmanager
    def held(self, delivery: Delivery, batch: str) -> Iterator[None]:
        """A message of that batch is worked on inside the context."""
        in_hand = self.line(delivery.queue).in_hand
        in_hand[batch] += 1
        try:
            yield
        finally:
            in_hand[batch] -= 1
            if not in_hand[batch]:
                del in_hand[batch]

    def is_busy(self) -> bool:
        """Whether all sessions have their work; where there is no slot beyond them, all but one."""
        kept = self._sessions() - (0 if self._beyond else 1)
        return sum(line.in_hand.total() for line in self._lines.values()) >= kept

    def is_worth_a_look(self, line: Line) -> bool:
        """Whether it matters what waits in a queue, and not all of it is known up to the look-ahead."""
        ahead = max(line.seen_to, line.head) - line.head
        return ahead < self.look_ahead and self.is_busy() and line.one_prevails()
