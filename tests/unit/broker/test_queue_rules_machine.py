"""The rules of a queue under any order of operations and any passing of time."""

import itertools
from collections import Counter

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from worker.local.broker.config import QueueSettings
from worker.local.broker.queue_rules import QueueRules
from worker.local.broker.values import DeadLetter, LockLostError, Message, MessageNotFoundError, State

MAX_DELIVERIES = 3
LOCK_SECONDS = 10.0


class QueueMachine(RuleBasedStateMachine):
    """Holds what a client could know, and compares it with what the rules do."""

    buries_expired = True

    def __init__(self) -> None:
        super().__init__()
        self.tokens = (number.to_bytes(16, "big") for number in itertools.count(1))
        declared = QueueSettings(
            name="q",
            lock_duration_seconds=LOCK_SECONDS,
            max_delivery_count=MAX_DELIVERIES,
            dead_lettering_on_expiration=self.buries_expired,
        )
        self.queue = QueueRules(declared, self.new_token)
        self.now = 1000.0
        self.accepted: list[Message] = []
        self.held: dict[bytes, Message] = {}
        self.dead_tokens: set[bytes] = set()
        self.gone: set[int] = set()

    def new_token(self) -> bytes:
        return next(self.tokens)

    def advance(self) -> None:
        for message in self.queue.advance(self.now):
            if message.state.gone:
                self.gone.add(message.key)
        for token in [t for t, message in self.held.items() if message.token != t]:
            self.dead_tokens.add(token)
            del self.held[token]

    def take(self, token: bytes) -> None:
        self.dead_tokens.add(token)
        del self.held[token]

    @rule(
        ttl=st.one_of(st.none(), st.floats(1, 60)),
        delay=st.one_of(st.none(), st.floats(-5, 40)),
    )
    def send(self, ttl: float | None, delay: float | None) -> None:
        self.advance()
        scheduled_at = None if delay is None else self.now + delay
        self.accepted.append(self.queue.send(self.now, ttl, scheduled_at))

    @rule(dead_letters=st.booleans())
    def receive(self, dead_letters: bool) -> None:  # noqa: FBT001 - drawn by hypothesis
        self.advance()
        ready = [
            message.sequence_number
            for message in self.queue.messages.values()
            if message.state is State.ACTIVE
            and message.token is None
            and (message.dead_letter is not None) is dead_letters
        ]
        message = self.queue.acquire(self.now, dead_letters=dead_letters)
        if message is None:
            assert ready == []
            return
        assert message.sequence_number == min(ready)
        assert message.token is not None
        assert message.token not in self.dead_tokens | self.held.keys()
        assert message.key not in self.gone
        assert message.expires_at > self.now or dead_letters
        self.held[message.token] = message

    @precondition(lambda self: self.held)
    @rule(
        data=st.data(),
        outcome=st.sampled_from(["complete", "abandon", "release", "defer", "dead_letter", "renew"]),
    )
    def settle(self, data: st.DataObject, outcome: str) -> None:
        self.advance()
        if not self.held:
            return
        token = data.draw(st.sampled_from(sorted(self.held)))
        message, count = self.held[token], self.held[token].delivery_count
        if outcome == "renew":
            assert self.queue.renew(token, self.now).locked_until == self.now + LOCK_SECONDS
            return
        if outcome == "dead_letter":
            self.queue.dead_letter(token, self.now, DeadLetter("told", None))
        else:
            getattr(self.queue, outcome)(token, self.now)
        self.take(token)
        assert message.delivery_count == count + (outcome == "abandon")
        assert message.token is None
        if message.state.gone:
            self.gone.add(message.key)
        assert (message.state is State.COMPLETED) is (outcome == "complete")

    @precondition(lambda self: self.dead_tokens)
    @rule(data=st.data(), outcome=st.sampled_from(["complete", "abandon", "release", "defer", "renew"]))
    def settle_with_a_lost_lock(self, data: st.DataObject, outcome: str) -> None:
        self.advance()
        token = data.draw(st.sampled_from(sorted(self.dead_tokens)))
        before = self.census()
        try:
            getattr(self.queue, outcome)(token, self.now)
        except LockLostError:
            assert self.census() == before
        else:
            raise AssertionError("a lost lock settled something")

    @rule(data=st.data(), dead_letters=st.booleans())
    def receive_deferred(self, data: st.DataObject, dead_letters: bool) -> None:  # noqa: FBT001 - drawn
        self.advance()
        number = data.draw(st.integers(1, self.queue.last_sequence + 1))
        found = self.queue.messages.get(number)
        may = (
            found is not None
            and found.state is State.DEFERRED
            and found.token is None
            and (found.dead_letter is not None) is dead_letters
        )
        try:
            (message,) = self.queue.acquire_deferred([number], self.now, dead_letters=dead_letters)
        except MessageNotFoundError:
            assert not may
            return
        assert may
        assert message.token is not None
        self.held[message.token] = message

    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        self.advance()
        number = data.draw(st.integers(1, self.queue.last_sequence + 1))
        found = self.queue.messages.get(number)
        scheduled = found is not None and found.state is State.SCHEDULED
        try:
            (message,) = self.queue.cancel_scheduled([number])
        except MessageNotFoundError:
            assert not scheduled
        else:
            assert scheduled
            self.gone.add(message.key)

    @rule(seconds=st.one_of(st.floats(0, 3), st.just(LOCK_SECONDS), st.floats(0, 50)))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        self.advance()
        assert self.queue.next_due() > self.now

    def census(self) -> Counter[str]:
        return Counter(self.place(message) for message in self.accepted)

    def place(self, message: Message) -> str:
        if message.state.gone:
            return message.state.name
        if message.token is not None:
            return "LOCKED"
        return "DEAD" if message.dead_letter is not None else message.state.name

    @invariant()
    def every_accepted_message_is_in_one_place(self) -> None:
        here = {message.key for message in self.queue.messages.values()}
        assert len(here) == len(self.queue.messages)
        assert here == {message.key for message in self.accepted if not message.state.gone}
        assert self.census().total() == len(self.accepted)
        assert not here & self.gone
        if self.buries_expired:
            assert self.census()["EXPIRED"] == 0

    @invariant()
    def each_message_stands_under_its_number(self) -> None:
        assert all(number == message.sequence_number for number, message in self.queue.messages.items())

    @invariant()
    def no_delivery_count_exceeds_its_maximum(self) -> None:
        for message in self.queue.messages.values():
            if message.dead_letter is None:
                assert message.delivery_count < MAX_DELIVERIES

    @invariant()
    def peeking_shows_everything_in_order(self) -> None:
        shown = [
            message
            for dead_letters in (False, True)
            for message in self.queue.peek(0, 10_000, dead_letters=dead_letters)
        ]
        assert len(shown) == len(self.queue.messages)
        for dead_letters in (False, True):
            numbers = [m.sequence_number for m in self.queue.peek(0, 5, dead_letters=dead_letters)]
            assert numbers == sorted(numbers)

    @rule()
    def restart(self) -> None:
        """Restored from what is stored, a queue goes on as if nothing had happened."""
        restored = QueueRules(self.queue.settings, self.new_token, self.queue.last_sequence)
        restored.restore(self.queue.messages.values())
        self.queue = restored


class DroppingQueueMachine(QueueMachine):
    """The same, where expired messages are dropped."""

    buries_expired = False


TestQueue = QueueMachine.TestCase
TestQueue.settings = settings(max_examples=50, stateful_step_count=30, deadline=None)
TestDroppingQueue = DroppingQueueMachine.TestCase
TestDroppingQueue.settings = settings(max_examples=20, stateful_step_count=30, deadline=None)
