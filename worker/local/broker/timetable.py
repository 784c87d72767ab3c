"""Messages that wait for their time. Pure, like the rules of queues."""

import heapq
from collections.abc import Iterable, Iterator

from worker.local.broker.values import Message, MessageNotFoundError, State


class Timetable:
    """Scheduled messages by their sequence numbers, taken out when they are due or cancelled."""

    def __init__(self, messages: Iterable[Message] = ()) -> None:
        self._messages: dict[int, Message] = {}
        self._times: list[tuple[float, int]] = []
        for message in messages:
            self.add(message)

    def __iter__(self) -> Iterator[Message]:
        return iter(self._messages.values())

    def add(self, message: Message) -> None:
        """Have a message wait until `enqueued_at`."""
        self._messages[message.sequence_number] = message
        heapq.heappush(self._times, (message.enqueued_at, message.sequence_number))

    def take_due(self, now: float) -> list[Message]:
        """Take out the messages whose time has come, in the order of their times."""
        due = []
        while self._times and self._times[0][0] <= now:
            message = self._messages.pop(heapq.heappop(self._times)[1], None)
            if message is not None:
                due.append(message)
        return due

    def cancel(self, sequence_numbers: Iterable[int]) -> list[Message]:
        """Take out messages for good; raises `MessageNotFoundError`, and takes none, if one is not there."""
        numbers = list(dict.fromkeys(sequence_numbers))
        for number in numbers:
            if number not in self._messages:
                raise MessageNotFoundError(number)
        cancelled = [self._messages.pop(number) for number in numbers]
        for message in cancelled:
            message.state = State.CANCELLED
        return cancelled
