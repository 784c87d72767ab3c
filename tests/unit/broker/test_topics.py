"""A topic between the wire and the store, and the messages it keeps for later."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NoReturn

import pytest
from azure.servicebus._pyamqp._encode import encode_payload
from azure.servicebus._pyamqp.message import Header, Properties
from azure.servicebus._pyamqp.message import Message as SdkMessage
from hypothesis import given
from hypothesis import strategies as st

from worker.local.broker.codec import DecodeError
from worker.local.broker.config import BrokerConfig
from worker.local.broker.entities import Entities
from worker.local.broker.message import Incoming, parse
from worker.local.broker.nodes import Node
from worker.local.broker.store import Store
from worker.local.broker.timetable import Timetable
from worker.local.broker.values import Message, MessageNotFoundError, State
from worker.local.faults import BrokerFaults
from worker.local.switches import Switches

READABLE = b"\x00\x53\x74\xc1\x07\x02\xa1\x01a\xa1\x01b"
UNREADABLE = b"\x00\x53\x74\xc1\x07\x02\xa1\x01a\xa1\x01\xff"


class Opened:
    """A topic with one subscription on a store, without a server."""

    def __init__(self, folder: Path) -> None:
        topic = {"name": "events", "subscriptions": [{"name": "all"}]}
        config = BrokerConfig.model_validate(
            {"data_dir": folder, "queues": [], "topics": [topic], "key": "k"}
        )
        self.store = Store(folder / "broker.sqlite3", self._fail)
        self.entities = Entities(config, self.store, Switches(BrokerFaults()))
        self.topic = self.entities.target(Node.parse("events"))
        self.subscription = self.entities.source(Node.parse("events/Subscriptions/ALL"))

    async def send(self, *messages: Incoming) -> list[int]:
        done = asyncio.Event()
        numbers = self.topic.send(messages, done.set)
        await done.wait()
        return numbers

    async def tick_until_stored(self) -> None:
        done = asyncio.Event()
        self.topic.tick()
        self.store.after_commit(done.set)
        await done.wait()

    def arrived(self) -> list[Message]:
        return self.subscription.peek(1, 100, dead_letters=False)

    @staticmethod
    def _fail(error: Exception) -> NoReturn:
        raise error


async def test_a_batch_with_unreadable_properties_is_refused_whole(tmp_path: Path) -> None:
    opened = Opened(tmp_path)
    with pytest.raises(DecodeError):
        await opened.send(parse(READABLE), parse(UNREADABLE))
    assert opened.arrived() == []
    assert await opened.send(parse(READABLE)) == [1]
    assert len(opened.arrived()) == 1
    await opened.store.close()


async def test_what_was_scheduled_is_handed_out_whole_and_once_after_a_restart(tmp_path: Path) -> None:
    output = bytearray()
    due = datetime.now(UTC) + timedelta(seconds=0.1)
    annotations: dict[str | bytes, Any] = {"x-opt-mine": "kept", "x-opt-scheduled-enqueue-time": due}
    encode_payload(
        output,
        SdkMessage(
            header=Header(ttl=90_000),
            message_annotations=annotations,
            properties=Properties(message_id="m"),
            data=[b"body"],
        ),
    )
    opened = Opened(tmp_path)
    sent = parse(bytes(output))
    assert await opened.send(sent) == [1]
    await opened.store.close()
    opened = Opened(tmp_path)
    while not opened.arrived():
        await opened.tick_until_stored()
    assert datetime.now(UTC) >= due
    (message,) = opened.arrived()
    assert message.expires_at - message.enqueued_at == pytest.approx(90)
    got = parse(opened.subscription.render(message) or b"")
    assert (got.bare, got.annotations, got.ttl) == (sent.bare, sent.annotations, 90)
    await opened.store.close()
    opened = Opened(tmp_path)
    await opened.tick_until_stored()
    assert len(opened.arrived()) == 1
    await opened.store.close()


@given(st.lists(st.tuples(st.floats(0, 50), st.booleans()), max_size=20), st.floats(0, 60))
def test_messages_leave_the_timetable_once_when_due_or_cancelled(
    added: list[tuple[float, bool]], now: float
) -> None:
    messages = [
        Message(key=n, sequence_number=n, enqueued_at=when, state=State.SCHEDULED)
        for n, (when, _) in enumerate(added)
    ]
    timetable = Timetable(messages)
    numbers = [n for n, (_, cancel) in enumerate(added) if cancel]
    with pytest.raises(MessageNotFoundError):
        timetable.cancel([*numbers, len(added)])
    assert [message.state for message in timetable.cancel(numbers)] == [State.CANCELLED] * len(numbers)
    due = timetable.take_due(now)
    expected = [n for n, (when, cancel) in enumerate(added) if when <= now and not cancel]
    assert sorted(message.key for message in due) == expected
    assert [message.enqueued_at for message in due] == sorted(message.enqueued_at for message in due)
    assert timetable.take_due(now) == []
    assert len(timetable.take_due(60)) == len(added) - len(numbers) - len(expected)
