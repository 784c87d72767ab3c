"""The operations of `<entity>/$management`."""

from dataclasses import dataclass
from functools import partial
from uuid import UUID

from worker.local.broker import encode
from worker.local.broker.entities import Target
from worker.local.broker.errors import ARGUMENT_ERROR, AmqpError
from worker.local.broker.links import text_or_none
from worker.local.broker.message import parse
from worker.local.broker.queues import Queue
from worker.local.broker.requests import (
    Body,
    Operation,
    Reply,
    answer_nothing,
    answer_ok,
    field,
    items,
    mapping,
    tokens,
)
from worker.local.broker.values import DeadLetter, Message

_MOST_PEEKED = 1000


def operations_of(source: Queue | None, target: Target | None, *, dead_letters: bool) -> dict[str, Operation]:
    """Return the operations by their names, for messages there (or dead ones) and for those to be sent."""
    operations: dict[str, Operation] = {}
    if source is not None:
        receiving = _Receiving(source, dead_letters)
        operations["renew-lock"] = receiving.renew_lock
        operations["peek-message"] = receiving.peek_message
        operations["receive-by-sequence-number"] = receiving.receive_by_sequence_number
        operations["update-disposition"] = receiving.update_disposition
    if target is not None:
        operations["schedule-message"] = partial(_schedule_message, target)
        operations["cancel-scheduled-message"] = partial(_cancel_scheduled_message, target)
    return operations


@dataclass(frozen=True, slots=True)
class _Receiving:
    """What is asked for of messages that are there."""

    queue: Queue
    dead_letters: bool

    def renew_lock(self, body: Body, reply: Reply) -> None:
        """Renew locks; answers until when they hold."""
        until = self.queue.renew(tokens(body))
        answer = mapping("expirations", encode.array_of_timestamps(until))
        self.queue.after_commit(partial(answer_ok, reply, answer))

    def peek_message(self, body: Body, reply: Reply) -> None:
        """Show messages of any state."""
        start, count = field(body, "from-sequence-number", int), field(body, "message-count", int)
        found = self.queue.peek(start, min(count, _MOST_PEEKED), dead_letters=self.dead_letters)
        self.queue.after_commit(partial(self._show, found, reply))

    def receive_by_sequence_number(self, body: Body, reply: Reply) -> None:
        """Lock (or take) deferred messages."""
        numbers = items(body, "sequence-numbers", int)
        locked = self.queue.acquire_deferred(numbers, dead_letters=self.dead_letters)
        delete = body.get("receiver-settle-mode") == 0
        self.queue.after_commit(partial(self._hand_out, locked, reply, delete=delete))

    def update_disposition(self, body: Body, reply: Reply) -> None:
        """Settle messages by their lock tokens, where the link they came over is gone."""
        if self.queue.faults.happens("lose_settlement_rate"):
            return
        status = field(body, "disposition-status", str)
        why = DeadLetter(
            text_or_none(body, "deadletter-reason"), text_or_none(body, "deadletter-description")
        )
        for token in tokens(body):
            if status == "completed":
                self.queue.complete(token, _nothing)
            elif status == "abandoned":
                self.queue.abandon(token, _nothing)
            elif status in {"defered", "deferred"}:
                self.queue.defer(token, _nothing)
            elif status in {"suspended", "suspend"}:
                self.queue.dead_letter(token, why, _nothing)
            else:
                raise AmqpError(ARGUMENT_ERROR, f"there is no disposition {status}")
        if not self.queue.faults.happens("withhold_settlement_rate"):
            self.queue.after_commit(partial(answer_ok, reply, encode.EMPTY_MAP))

    def _show(self, messages: list[Message], reply: Reply) -> None:
        rendered = [data for message in messages if (data := self.queue.render(message)) is not None]
        entries = [mapping("message", encode.binary(data)) for data in rendered]
        if entries:
            answer_ok(reply, mapping("messages", encode.sequence(entries)))
        else:
            answer_nothing(reply)

    def _hand_out(self, messages: list[Message], reply: Reply, *, delete: bool) -> None:
        entries, tokens = [], []
        for message in messages:
            data, token = self.queue.render(message), message.token
            if data is not None and token is not None:
                fields = {"message": encode.binary(data), "lock-token": encode.uuid(UUID(bytes_le=token))}
                entries.append(encode.mapping((encode.string(key), value) for key, value in fields.items()))
                tokens.append(token)
        for token in tokens if delete else []:
            self.queue.complete(token, _nothing)
        answer = mapping("messages", encode.sequence(entries))
        self.queue.after_commit(partial(answer_ok, reply, answer))


def _schedule_message(target: Target, body: Body, reply: Reply) -> None:
    """Accept messages whose annotations say when they become active."""
    data = [field(entry, "message", bytes) for entry in items(body, "messages", dict)]
    for message in data:
        if len(message) > target.settings.max_message_bytes:
            raise AmqpError(ARGUMENT_ERROR, "a message is larger than the entity allows")
    numbers: list[int] = []
    numbers += target.send(
        [parse(message) for message in data],
        lambda: answer_ok(reply, mapping("sequence-numbers", encode.array_of_longs(numbers))),
    )


def _cancel_scheduled_message(target: Target, body: Body, reply: Reply) -> None:
    """Remove messages that are still scheduled."""
    numbers = items(body, "sequence-numbers", int)
    target.cancel_scheduled(numbers, partial(answer_ok, reply, encode.EMPTY_MAP))


def _nothing() -> None:
    return
