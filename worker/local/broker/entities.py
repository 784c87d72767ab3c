"""What the broker has under which address: queues, topics, and their subscriptions."""

from worker.local.broker.config import BrokerConfig, TopicSettings
from worker.local.broker.errors import ENTITY_DISABLED, NO_SESSION_TEXT, NOT_ALLOWED, NOT_FOUND, AmqpError
from worker.local.broker.nodes import Node
from worker.local.broker.queues import Queue
from worker.local.broker.rules import matching
from worker.local.broker.store import Store
from worker.local.broker.topics import Subscription, Topic
from worker.local.faults import BrokerFaults
from worker.local.switches import Switches

Target = Queue | Topic


class Entities:
    """The declared entities at work, by their names in lower case."""

    def __init__(self, config: BrokerConfig, store: Store, faults: Switches[BrokerFaults]) -> None:
        self._store = store
        self._faults = faults
        self.queues = {queue.name.lower(): Queue(queue, store, faults) for queue in config.queues}
        self._sources = dict(self.queues)
        self.topics = {topic.name.lower(): self._open_topic(topic) for topic in config.topics}
        self._targets: dict[str, Target] = {**self.queues, **self.topics}
        self._all: tuple[Target, ...] = (*self.topics.values(), *self._sources.values())

    def tick(self) -> None:
        """Do what became due in all of them."""
        for entity in self._all:
            entity.tick()

    def find(self, node: Node) -> tuple[Queue | None, Target | None]:
        """Return what messages are taken from at a node, and what they are sent to; raises `AmqpError`."""
        source, target = self._sources.get(node.queue), self._targets.get(node.queue)
        if source is None and target is None:
            raise AmqpError(NOT_FOUND, f"The messaging entity '{node.queue}' could not be found.")
        return source, target

    def source(self, node: Node) -> Queue:
        """Return the queue or subscription that a node names; raises `AmqpError` when it names none."""
        source, _ = self.find(node)
        if source is None:
            subscription = f"{node.queue}/Subscriptions/NAME"
            raise AmqpError(
                NOT_ALLOWED, f"'{node.queue}' is a topic: receive from a subscription, {subscription}."
            )
        _check_enabled(source, "ReceiveDisabled")
        if source.settings.requires_session and not node.dead_letters:
            raise AmqpError(NOT_ALLOWED, NO_SESSION_TEXT)
        return source

    def target(self, node: Node) -> Target:
        """Return the queue or topic that a node names; raises `AmqpError` when it names none."""
        _, target = self.find(node)
        if target is None:
            raise AmqpError(NOT_ALLOWED, f"'{node.queue}' is a subscription: send to its topic.")
        if isinstance(target, Queue):
            _check_enabled(target, "SendDisabled")
        return target

    def _open_topic(self, topic: TopicSettings) -> Topic:
        subscriptions = []
        for declared in topic.subscriptions:
            settings = topic.queue_of(declared)
            queue = Queue(settings, self._store, self._faults)
            self._sources[settings.name.lower()] = queue
            subscriptions.append(Subscription(queue, matching(declared.rules), declared.rules))
        return Topic(topic, subscriptions, self._store, self._faults)


def _check_enabled(queue: Queue, disabled: str) -> None:
    if queue.settings.status in {disabled, "Disabled"}:
        raise AmqpError(ENTITY_DISABLED, f"Messaging entity '{queue.settings.name}' is currently disabled.")
