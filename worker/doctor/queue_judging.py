"""Whether a queue or topic is set as the worker needs it: pure, from its properties to findings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from worker.doctor.finding import Finding
from worker.messages import SHORT_LIFE, SHORT_LOCK_SECONDS
from worker.processor import DELIVERIES_BEFORE_A_COPY

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from worker.doctor.entities import Entity
    from worker.doctor.finding import Status
    from worker.doctor.namespace import Namespace
    from worker.queue_properties import QueueCounts, QueueProperties, TopicProperties
    from worker.settings import WorkerSettings

USUAL_LOCK_SECONDS = 60.0
LONG_LOCK_SECONDS = 120.0
USUAL_DELIVERIES = 20
USUAL_WINDOW_SECONDS = 600.0  # the service's default; schedulers send up to 300 s ahead, or as they are told
NEARLY_FULL, FULL = 0.8, 0.95
_READING = (
    "To have it read, sign in as somebody with the role Azure Service Bus Data Owner, or use a key with the "
    "right Manage; the worker itself needs neither"
)


@dataclass(frozen=True)
class Judge:
    """Judges one entity; what it finds carries the command that mends it."""

    entity: Entity
    namespace: Namespace
    settings: WorkerSettings

    def queue(self, queue: QueueProperties) -> list[Finding]:
        """What is wrong with a queue or subscription; that all is well, if nothing is."""
        found = [*self._usable(queue)]
        if self.entity.received:
            found += [*self._lock(queue), *self._deliveries(queue), *self._life(queue)]
        if self.entity.kind != "subscription":
            found += self._duplicates(queue)
        return found or [
            self._found("queue-properties", "ok", f"{self.entity} is set as the worker needs it")
        ]

    def topic(self, topic: TopicProperties) -> list[Finding]:
        """What is wrong with a topic that events are sent to."""
        found = [*self._status(topic.status), *self._duplicates(topic)]
        return found or [
            self._found("queue-properties", "ok", f"{self.entity} is set as the worker needs it")
        ]

    def contents(self, counts: QueueCounts, max_bytes: int | None) -> list[Finding]:
        """What is to be said of what an entity holds."""
        facts = {
            "active": counts.active,
            "scheduled": counts.scheduled,
            "dead_lettered": counts.dead_lettered,
        }
        well = f"{self.entity} holds {counts.active} messages, and {counts.scheduled} for later"
        return [
            *self._room(counts.size_bytes, max_bytes),
            *self._dead(counts.dead_lettered),
            self._found("queue-contents", "ok", well, facts=facts),
        ]

    def missing(self, message: str) -> Finding:
        """That the entity is not there."""
        told = f"{message} (named by JSWORKER_{self.entity.setting})"
        return self._found("queue-exists", "failed", told, self.namespace.create(self.entity))

    def hidden(self, reason: str) -> Finding:
        """That its properties could not be read, and how to see them otherwise."""
        message = f"how {self.entity} is set was not looked at: {reason}"
        if self.namespace.is_emulator:
            return self._found("queue-properties", "unknown", message, _READING)
        remedy = (
            f"Look yourself, and compare with docs/deploying.md: "
            f"{self.namespace.show(self.entity)}  # {_READING}"
        )
        return self._found("queue-properties", "unknown", message, remedy)

    def _usable(self, queue: QueueProperties) -> Iterator[Finding]:
        yield from self._status(queue.status)
        if queue.requires_session:
            message = f"{self.entity} requires sessions, which the worker does not have"
            yield self._found("queue-sessions", "failed", message, self.namespace.make_anew(self.entity))
        if queue.forward_to and self.entity.received:
            message = (
                f"{self.entity} forwards its messages to {queue.forward_to!r}: none can be taken from it"
            )
            remedy = self.namespace.change(self.entity, "--forward-to", '""')
            yield self._found("queue-forwarding", "failed", message, remedy, {"forward_to": queue.forward_to})

    def _status(self, status: str) -> Iterator[Finding]:
        off = {"Disabled"}
        off |= {"ReceiveDisabled"} if self.entity.received else set()
        off |= {"SendDisabled"} if self.entity.sent else set()
        if status in off:
            remedy = self.namespace.change(self.entity, "--status", "Active")
            message = f"{self.entity} is switched off ({status})"
            yield self._found("queue-status", "failed", message, remedy, {"status": status})

    def _lock(self, queue: QueueProperties) -> Iterator[Finding]:
        seconds, facts = queue.lock_seconds, {"lock_seconds": queue.lock_seconds}
        remedy = self.namespace.change(self.entity, "--lock-duration", "PT1M")
        if seconds < SHORT_LOCK_SECONDS:
            message = (
                f"the lock of {self.entity} lasts {seconds:g} s: a pause of the worker loses jobs to others"
            )
            yield self._found("lock-duration", "failed", message, remedy, facts)
        elif seconds < USUAL_LOCK_SECONDS:
            message = f"the lock of {self.entity} lasts {seconds:g} s; with 60 s a renewal may fail twice"
            yield self._found("lock-duration", "warning", message, remedy, facts)
        elif seconds > LONG_LOCK_SECONDS:
            message = (
                f"the lock of {self.entity} lasts {seconds:g} s: so long wait the jobs of one that crashed"
            )
            yield self._found("lock-duration", "info", message, remedy, facts)

    def _deliveries(self, queue: QueueProperties) -> Iterator[Finding]:
        most = queue.max_delivery_count
        needed = DELIVERIES_BEFORE_A_COPY + 1
        usual = USUAL_DELIVERIES
        if self.entity.use == "jobs":
            usual = max(usual, self.settings.max_attempts + needed)
        facts = {"max_delivery_count": most, "needed": needed, "usual": usual}
        remedy = self.namespace.change(self.entity, "--max-delivery-count", str(usual))
        if most < needed and self.entity.use == "jobs":
            message = (
                f"{self.entity} gives up a message after {most} deliveries, before the worker can save it"
            )
            yield self._found("delivery-count", "failed", message, remedy, facts)
        elif most < usual:
            message = (
                f"{self.entity} gives up a message after {most} deliveries; crashes alone may use them up"
            )
            yield self._found("delivery-count", "warning", message, remedy, facts)

    def _life(self, queue: QueueProperties) -> Iterator[Finding]:
        seconds = queue.time_to_live_seconds
        if seconds is not None and seconds < max(SHORT_LIFE.total_seconds(), self.settings.retry_max_seconds):
            message = f"messages live {seconds:g} s in {self.entity}: a job that waits longer is never run"
            remedy = self.namespace.change(self.entity, "--default-message-time-to-live", "P14D")
            status: Status = "failed" if seconds < self.settings.retry_max_seconds else "warning"
            yield self._found("time-to-live", status, message, remedy, {"time_to_live_seconds": seconds})
        if not queue.dead_lettering_on_expiration:
            message = (
                f"{self.entity} drops messages that expire: their jobs get no result, and nobody hears of it"
            )
            option = "--enable-dead-lettering-on-message-expiration"
            remedy = self.namespace.change(self.entity, option, "true")
            yield self._found("dead-lettering-on-expiration", "warning", message, remedy)

    def _duplicates(self, entity: QueueProperties | TopicProperties) -> Iterator[Finding]:
        window, is_ours = entity.duplicate_window_seconds, self.entity.use != "events"
        if window is None:
            message = f"{self.entity} does not detect duplicates: what is sent again comes twice"
            message += ", and each run of a schedule as often as there are schedulers" if is_ours else ""
            status: Status = "warning" if is_ours else "info"
            yield self._found("duplicate-detection", status, message, self.namespace.make_anew(self.entity))
        elif window < USUAL_WINDOW_SECONDS and is_ours:
            message = (
                f"{self.entity} remembers messages for {window:g} s: what is sent again later comes twice"
            )
            option = "--duplicate-detection-history-time-window"
            remedy, facts = self.namespace.change(self.entity, option, "PT10M"), {"window_seconds": window}
            yield self._found("duplicate-detection", "warning", message, remedy, facts)

    def _room(self, size: int | None, most: int | None) -> Iterator[Finding]:
        if size is None or not most or size < NEARLY_FULL * most:
            return
        status: Status = "failed" if size >= FULL * most else "warning"
        message = (
            f"{self.entity} is {100 * size / most:.0f} % full: when it is, nothing more can be sent to it"
        )
        remedy = self.namespace.change(self.entity, "--max-size", "5120") + "  # or remove what is not wanted"
        yield self._found("queue-size", status, message, remedy, {"size_bytes": size, "max_size_bytes": most})

    def _dead(self, count: int) -> Iterator[Finding]:
        if not count or not self.entity.received:
            return
        message = f"{self.entity} has {count} dead letters"
        remedy = "jsworker webhooks list" if self.entity.use == "webhooks" else "jsworker deadletters list"
        yield self._found("dead-letters", "info", message, remedy, {"dead_lettered": count})

    def _found(
        self, check: str, status: Status, message: str, remedy: str | None = None,
        facts: Mapping[str, object] | None = None,
    ) -> Finding:  # fmt: skip
        return Finding(
            check,
            "service-bus",
            status,
            message,
            remedy,
            {self.entity.kind: self.entity.name, **(facts or {})},
        )
