"""A topic at work: it hands each message to the subscriptions whose rules ask for it."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from worker.local.broker.config import TopicSettings
from worker.local.broker.intake import Intake
from worker.local.broker.message import Incoming, parse, render
from worker.local.broker.properties import Properties, read_properties
from worker.local.broker.queues import Action, Queue
from worker.local.broker.rules import RuleSettings
from worker.local.broker.sql.conditions import Condition
from worker.local.broker.store import Store
from worker.local.broker.timetable import Timetable
from worker.local.broker.values import Counts, Message, State
from worker.local.faults import BrokerFaults
from worker.local.switches import Switches


@dataclass(frozen=True, slots=True)
class Subscription:
    """A queue, and what must hold of a message that comes into it: its rules, and the condition they are."""

    queue: Queue
    condition: Condition
    rules: tuple[RuleSettings, ...]


class Topic:
    """One declared topic. It keeps scheduled messages, and of the others nothing but their ids.

    All that becomes of a message at one moment is done in one synchronous step, and so in one commit: its
    copies in the subscriptions, its id, and the end of its being scheduled. Sequence numbers are the topic's
    own; a copy has one of its subscription.
    """

    def __init__(
        self,
        settings: TopicSettings,
        subscriptions: Sequence[Subscription],
        store: Store,
        faults: Switches[BrokerFaults],
    ) -> None:
        self.settings = settings
        self.subscriptions = subscriptions
        self._store = store
        # No queue can have this name, so that a name may be a queue's today and a topic's tomorrow.
        self._id, self._last_sequence = store.open_queue(f"topic:{settings.name.lower()}")
        self._intake = Intake(store, self._id, settings.duplicate_detection_window_seconds, faults)
        self._scheduled = Timetable(store.load_messages(self._id))

    def tick(self) -> None:
        """Hand out what became due. To be called a few times a second."""
        for message in self._scheduled.take_due(time.time()):
            content = self._store.content(self._id, message.key)
            if content is None:  # the commit that brings it is still under way
                self._scheduled.add(message)
                continue
            incoming = parse(render(message, content))
            self._hand_out(incoming, read_properties(incoming.bare))
            message.state = State.COMPLETED
            self._store.save(self._id, message)

    def send(self, messages: Sequence[Incoming], then: Action) -> list[int]:
        """Accept messages, all in one commit; returns the sequence numbers given, 0 to duplicates.

        Raises:
            DecodeError: the properties of one cannot be read; none is accepted.
        """
        self._intake.refuse_if_busy()
        read = [(message, read_properties(message.bare)) for message in messages]
        now = time.time()
        numbers = [self._accept(message, properties, now) for message, properties in read]
        self._store.save_sequence(self._id, self._last_sequence)
        self._store.after_commit(then)
        return numbers

    def counts(self) -> Counts:
        """Return how many messages it keeps, all of them scheduled, and how large they are."""
        return Counts.of(self._scheduled)

    def cancel_scheduled(self, sequence_numbers: Iterable[int], then: Action) -> None:
        """Remove scheduled messages; raises `MessageNotFoundError` if one is none."""
        for message in self._scheduled.cancel(sequence_numbers):
            self._store.save(self._id, message)
        self._store.after_commit(then)

    def _accept(self, sent: Incoming, properties: Properties, now: float) -> int:
        if not self._intake.admits(sent.message_id, now):
            return 0
        self._last_sequence += 1
        incoming = replace(sent, ttl=self.settings.effective_ttl(sent.ttl))
        if incoming.scheduled_at is not None and incoming.scheduled_at > now:
            self._keep(incoming, incoming.scheduled_at)
        else:
            self._hand_out(incoming, properties)
        return self._last_sequence

    def _keep(self, incoming: Incoming, until: float) -> None:
        number = self._last_sequence
        message = Message(key=number, sequence_number=number, enqueued_at=until, state=State.SCHEDULED)
        self._store.add(self._id, message, incoming.content(self.settings.effective_ttl(incoming.ttl)))
        self._scheduled.add(message)

    def _hand_out(self, incoming: Incoming, properties: Properties) -> None:
        for subscription in self.subscriptions:
            if subscription.condition.holds(properties):
                subscription.queue.put([incoming])
