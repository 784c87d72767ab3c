"""The deliveries in hand, with their jobs and results, from what observers are told one after the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from worker.delivery import Delivery
    from worker.observing import Begun
    from worker.result import Result


@dataclass
class Work:
    """A delivery's attempt at its job, and the result that it committed, if it did."""

    attempt: Begun
    result: Result | None = None


class InHand:
    """As many works as there are slots with a message in hand."""

    def __init__(self) -> None:
        self._by_delivery: dict[int, Work] = {}
        self._by_name: dict[str, Work] = {}

    def began(self, delivery: Delivery, attempt: Begun) -> None:
        """A delivery's job is known."""
        if id(delivery) not in self._by_delivery:
            self._by_delivery[id(delivery)] = self._by_name[attempt.name] = Work(attempt)

    def committed(self, result: Result, attempt: str) -> None:
        """A result was committed; of another job than that of a delivery in hand it means nothing here."""
        work = self._by_name.get(attempt)
        if work and (work.attempt.batch, work.attempt.job_id) == (result.batch, result.id):
            work.result = result

    def settled(self, delivery: Delivery) -> Work | None:
        """What was done for a delivery that is out of hand now; None where it was no job's."""
        work = self._by_delivery.pop(id(delivery), None)
        if work:
            del self._by_name[work.attempt.name]
        return work
