"""Dead letters dealt with on request: run again, or removed. Interrupted anywhere, this loses nothing."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, TypeVar

import structlog
from pydantic import ValidationError

from worker.clock import now
from worker.faults import LockLost, ServiceFault
from worker.result import Result

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from worker.committing import Committer
    from worker.dead_letters import Recorder
    from worker.delivery import Delivery
    from worker.seen import Seen
    from worker.settlement import History

log = structlog.get_logger()
T = TypeVar("T")
Fate = Literal["replayed", "purged", "has_an_outcome", "no_data"]
GONE: Final = ("replayed", "purged")
MOST_PUT_ASIDE = 5000
MOST_AT_A_TIME = 32
EMPTY_SECONDS = 5.0  # without a letter: what is left is held by others; a slow service may seem so sooner
GRACE_SECONDS = 40.0  # a little more than the longest call takes
_OWN_SUFFIXES = re.compile(r"(\.r\d+-\d+|\.d\d+-\d+(-[0-9a-f]{8})?)+$")


@dataclass(frozen=True)
class Taken:
    """A dead letter that this process holds the lock of."""

    letter: Seen
    delivery: Delivery


class DeadLetters(Protocol):
    """What is needed of the dead-letter queue; see ``worker.dead_letter_queue.DeadLetterQueue``."""

    async def receive(self, count: int) -> list[Taken]: ...  # noqa: D102 - the adapter says

    async def renew(self, taken: Taken) -> None: ...  # noqa: D102

    async def resend(self, taken: Taken, message_id: str, history: History) -> None: ...  # noqa: D102

    async def complete(self, taken: Taken) -> None: ...  # noqa: D102

    async def abandon(self, taken: Taken) -> None: ...  # noqa: D102


@dataclass
class Tally:
    """How far a pass is.

    Attributes:
        wanted: the numbers that are still to be dealt with.
        fates: what became of the others.
    """

    wanted: set[int]
    fates: Counter[Fate] = field(default_factory=Counter)

    @property
    def gone(self) -> int:
        """How many letters have left the dead-letter queue."""
        return sum(self.fates[fate] for fate in GONE)

    @property
    def left(self) -> int:
        """How many of those that were asked for have not."""
        return len(self.wanted) + self.fates.total() - self.gone


class Replay:
    """Runs the job of a dead letter again."""

    def __init__(self, queue: DeadLetters, recorder: Recorder, committer: Committer) -> None:
        self._queue, self._recorder, self._committer = queue, recorder, committer
        self._sent: set[int] = set()

    async def __call__(self, taken: Taken) -> Fate:
        """Send a copy and then complete the original; at every moment at least one of them is there.

        The copy may replace the result that says why the letter is dead. A job with an outcome of its own
        keeps it, and the letter stays.
        """
        letter = taken.letter
        if letter.body is None:
            return "no_data"
        if letter.sequence_number not in self._sent:
            await self._recorder.record(letter)
            etag, has_outcome = await self._standing(letter)
            if has_outcome:
                return "has_an_outcome"
            await self._queue.resend(taken, replay_id(letter, etag), anew(letter, etag))
            self._sent.add(letter.sequence_number)
        await self._queue.complete(taken)
        return "replayed"

    async def _standing(self, letter: Seen) -> tuple[str | None, bool]:
        """The ETag of the job's result, and whether that is more than the story of a failure to run it."""
        job_id, batch = letter.job
        standing = await self._committer.standing(batch, job_id)
        if standing is None:
            return None, False
        try:
            status = Result.model_validate_json(standing.data).status
        except ValidationError:
            return standing.etag, True
        return standing.etag, status not in {"rejected", "infrastructure_failed"}


class Purge:
    """Removes dead letters; each has a result before it goes."""

    def __init__(self, queue: DeadLetters, recorder: Recorder) -> None:
        self._queue, self._recorder = queue, recorder

    async def __call__(self, taken: Taken) -> Fate:
        """Record and then complete."""
        await self._recorder.record(taken.letter)
        await self._queue.complete(taken)
        return "purged"


class Pass:
    """One walk through the dead-letter queue, from its oldest letter on.

    The queue gives out letters in its order only, so those that are not wanted are held while the others
    are looked for, and put back at the end.

    Args:
        queue: the dead letters.
        act: what is done with each that is wanted.
        rate: the most of them in a second.
    """

    def __init__(self, queue: DeadLetters, act: Callable[[Taken], Awaitable[Fate]], rate: float) -> None:
        self._queue, self._act, self._rate = queue, act, rate
        self._at_a_time = max(1, min(MOST_AT_A_TIME, int(rate * 10)))  # else locks would pass in the waiting
        self._held: dict[int, Taken] = {}
        self._put_aside = 0
        self._next_at = 0.0

    async def run(self, tally: Tally, on_done: Callable[[], None] = lambda: None) -> None:
        """Deal with what is wanted, as far as it is to be had; the tally says how far.

        When it is cancelled, the letter in hand is dealt with to its end.
        """
        found_at = now()
        try:
            while tally.wanted and self._put_aside < MOST_PUT_ASIDE and now() < found_at + EMPTY_SECONDS:
                for taken in await _to_its_end(self._receive()):
                    await self._deal(taken, tally)
                    on_done()
                    found_at = now()
        finally:
            await self._put_back()

    async def _receive(self) -> list[Taken]:
        batch = await self._queue.receive(self._at_a_time)
        self._held |= {taken.letter.sequence_number: taken for taken in batch}
        return batch

    async def _deal(self, taken: Taken, tally: Tally) -> None:
        number = taken.letter.sequence_number
        if number not in tally.wanted:
            self._put_aside += 1
            return
        await asyncio.sleep(max(0.0, self._next_at - now()))
        self._next_at = now() + 1 / self._rate
        await _to_its_end(self._carry_out(taken, tally))

    async def _carry_out(self, taken: Taken, tally: Tally) -> None:
        number = taken.letter.sequence_number
        try:
            if now() > taken.delivery.received_at + taken.delivery.lock_seconds / 2:
                await self._queue.renew(taken)
            fate = await self._act(taken)
        except LockLost:
            del self._held[number]  # the queue gives it out again
            return
        tally.wanted.discard(number)
        tally.fates[fate] += 1
        if fate in GONE:
            del self._held[number]

    async def _put_back(self) -> None:
        """What this does not get to returns by itself when its lock expires."""
        try:
            async with asyncio.timeout(GRACE_SECONDS):
                for taken in self._held.values():
                    await self._abandon(taken)
        except (ServiceFault, TimeoutError) as error:
            log.warning("dead_letters_left_locked", count=len(self._held), reason=str(error))

    async def _abandon(self, taken: Taken) -> None:
        try:
            await self._queue.abandon(taken)
        except LockLost:
            return


def replay_id(letter: Seen, etag: str | None) -> str:
    """The id of a letter's copy: the same for the same letter and standing result, so a repetition is one.

    Duplicate detection may then swallow the second copy of a replay that was interrupted, and no other.
    """
    base = _OWN_SUFFIXES.sub("", letter.message_id)
    mark = f"-{hashlib.sha256(etag.encode()).hexdigest()[:8]}" if etag else ""
    return f"{base[:80]}.d{letter.history.copies + 1}-{letter.sequence_number}{mark}"


def anew(letter: Seen, etag: str | None) -> History:
    """What the copy carries: a new count of attempts under the old story."""
    reason = f"replayed from the dead letters: {(letter.reason or 'no reason given')[:100]}"
    old = letter.history
    return replace(
        old,
        attempts=0,
        setbacks=0,
        copies=old.copies + 1,
        reasons=(*old.reasons, reason)[-10:],
        origin=letter.origin,
        replaces=etag,
    )


async def _to_its_end(call: Coroutine[Any, Any, T]) -> T:
    """Await a call that a cancellation lets come to its end first, within reason."""
    task = asyncio.ensure_future(call)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task}, timeout=GRACE_SECONDS)
        if not task.done():
            task.cancel()
        elif error := task.exception():
            log.warning("call_failed_at_the_end", reason=str(error))
        raise
