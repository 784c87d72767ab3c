"""Dead letters of webhooks sent again. Interrupted anywhere, this loses nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from worker.replaying import anew, replay_id

if TYPE_CHECKING:
    from worker.replaying import DeadLetters, Fate, Taken


class Resend:
    """Sends a dead letter's message again; there is no result that could say that it is not needed."""

    def __init__(self, queue: DeadLetters) -> None:
        self._queue = queue
        self._sent: set[int] = set()

    async def __call__(self, taken: Taken) -> Fate:
        """Send a copy and then complete the original; at every moment at least one of them is there."""
        letter = taken.letter
        if letter.body is None:
            return "no_data"
        if letter.sequence_number not in self._sent:
            await self._queue.resend(taken, replay_id(letter, None), anew(letter, None))
            self._sent.add(letter.sequence_number)
        await self._queue.complete(taken)
        return "replayed"
