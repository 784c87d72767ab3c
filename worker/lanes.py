"""Which of several queues a slot is to try next: by weight among those that have messages, so far as known.

All slots of a worker share one ``Lanes``. It is told what came of each try, never waits, and calls nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from worker.clock import now

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from worker.breaker import Breaker
    from worker.lane import Lane

SCOUT_SECONDS = 1.0  # between two looks at a queue that was empty
LONGEST_SCOUT_SECONDS = 4.0  # when it is not empty, but all in it is scheduled or with others


@dataclass(frozen=True)
class Choice:
    """A queue to try.

    Attributes:
        index: its place among the worker's queues.
        is_scout: whether it was empty when it was last tried, and others have messages: a look is enough.
    """

    index: int
    is_scout: bool = False


@dataclass(eq=False)
class _State:
    """What is known of one queue; ``credit`` is how much of its share it has still to get."""

    weight: int
    breaker: Breaker
    credit: int = 0
    has_messages: bool = False
    tries: int = 0
    tried_at: float = -math.inf
    pause: float = SCOUT_SECONDS


@dataclass
class Lanes:
    """The worker's queues.

    Queues that have messages get their shares of the tries by weight: in any number of tries in a row each
    gets less than two more or less than that, and since they all have messages less than one. One that was
    empty is tried by one slot at a time, once a second, as long as others have messages. While all are empty
    the slots spread over them by weight, and each gets one at least. One that fails is left to its breaker.
    """

    lanes: Sequence[Lane]
    breakers: Sequence[Breaker]
    _states: list[_State] = field(init=False)

    def __post_init__(self) -> None:
        pairs = zip(self.lanes, self.breakers, strict=True)
        self._states = [_State(lane.weight, breaker) for lane, breaker in pairs]

    def choose(self) -> Choice | None:
        """The queue to try next, being tried until ``ended``; None while all are left to their breakers."""
        working = [state for state in self._states if state.breaker.is_closed]
        broken = [state for state in self._states if not state.breaker.is_closed]
        full = [state for state in working if state.has_messages]
        if probed := next((state for state in broken if not state.tries and state.breaker.is_turn()), None):
            return self._tried(probed)
        if not full:
            return self._tried(min(working, key=_crowd)) if working else None
        if scouted := next((state for state in working if _is_due(state)), None):
            return self._tried(scouted, is_scout=True)
        return self._tried(_next_by_weight(full))

    def found(self, index: int) -> None:
        """It had a message."""
        state = self._states[index]
        state.breaker.worked("slots")
        state.has_messages, state.pause = True, SCOUT_SECONDS

    def empty(self, index: int) -> None:
        """It had none. What it had still to get is lost; what it got before its turn is not forgotten."""
        state = self._states[index]
        state.breaker.worked("slots")
        state.has_messages, state.credit = False, min(0, state.credit)

    def vain(self, index: int) -> None:
        """A scout has seen messages there and got none: they are scheduled, or others have them."""
        self.empty(index)
        state = self._states[index]
        state.pause = min(LONGEST_SCOUT_SECONDS, 2 * state.pause)

    def failed(self, index: int, reason: str) -> None:
        """It could not be tried."""
        state = self._states[index]
        state.breaker.failed("slots", reason)
        state.has_messages, state.credit = False, min(0, state.credit)

    def ended(self, index: int) -> None:
        """A try is over, however."""
        state = self._states[index]
        state.tries -= 1
        state.tried_at = now()

    def _tried(self, state: _State, *, is_scout: bool = False) -> Choice:
        state.tries += 1
        return Choice(self._states.index(state), is_scout)


def _is_due(state: _State) -> bool:
    return not state.has_messages and not state.tries and now() >= state.tried_at + state.pause


def _crowd(state: _State) -> tuple[bool, float, float]:
    """How well served an empty queue is by the slots that wait at it; the least well served comes first."""
    return state.tries > 0, (state.tries + 1) / state.weight if state.tries else 0.0, state.tried_at


def _next_by_weight(states: Iterable[_State]) -> _State:
    """The earliest deadline among those whose share is due, which keeps each within one of its share."""
    full = list(states)
    whole = sum(state.weight for state in full)
    for state in full:
        state.credit += state.weight
    due = [state for state in full if state.credit > 0] or full
    chosen = min(due, key=lambda state: (whole - state.credit) / state.weight)
    chosen.credit -= whole
    return chosen
