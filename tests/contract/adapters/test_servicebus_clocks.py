"""The Service Bus adapter when clocks disagree, and what it says of a queue whose rules do not suit it."""

from __future__ import annotations

import asyncio
import uuid
from contextlib import AsyncExitStack, contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
import structlog
from azure.servicebus import ServiceBusMessage
from azure.servicebus.aio import ServiceBusClient
from azure.servicebus.exceptions import MessageLockLostError, ServiceBusError

from worker.faults import ConfigurationFault, InfrastructureFault, LockLost
from worker.link import mapped
from worker.local.broker import Broker, BrokerConfig, QueueSettings
from worker.local.faults import BrokerFaults
from worker.local.switches import Switches
from worker.messages import unjudged
from worker.servicebus import Receiver, Sender
from worker.settlement import Complete
from worker.vitals import Vitals
from worker.watchdog import QueueWatch

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from worker.delivery import Delivery

pytestmark = pytest.mark.asyncio(loop_scope="module")
QUEUES = (
    QueueSettings(name="jobs"),
    QueueSettings(name="long-locks", lock_duration_seconds=300),
    QueueSettings(name="short-locks", lock_duration_seconds=1.5),
)
SKEWS = (-7200, -600, -70, 70, 600, 7200)


class Queue:
    """A queue of a broker whose clock may be wrong, which from here is the same as a wrong one of ours."""

    def __init__(self, client: ServiceBusClient, name: str, switches: Switches[BrokerFaults]) -> None:
        self.client, self.name, self.switches = client, name, switches
        self.sender, self.watch = Sender(client, name), QueueWatch()
        self.receiver = Receiver(client, name, self.sender, None, self.watch)

    @contextmanager
    def skewed(self, seconds: float) -> Iterator[None]:
        """For as long as the context the broker is ahead by so much."""
        self.switches.now = BrokerFaults(clock_skew_seconds=seconds)
        try:
            yield
        finally:
            self.switches.now = BrokerFaults()

    async def send(self, *, life: timedelta | None = None) -> None:
        await self.sender.send_messages([ServiceBusMessage(b"{}", time_to_live=life)])

    async def take(self) -> Delivery:
        async with asyncio.timeout(15):
            while not (delivery := await self.receiver.receive()):
                pass
        return delivery

    async def complete(self) -> Delivery:
        """A message comes and goes."""
        delivery = await self.take()
        await self.receiver.settle(delivery, Complete())
        return delivery

    async def close(self) -> None:
        await asyncio.gather(self.sender.close(), self.receiver.close())


class Queues:
    def __init__(self, client: ServiceBusClient, switches: Switches[BrokerFaults]) -> None:
        self._client, self._switches = client, switches
        self._opened: list[Queue] = []

    def open(self, name: str) -> Queue:
        """As a worker that has just been started."""
        self._opened.append(Queue(self._client, name, self._switches))
        return self._opened[-1]

    async def close(self) -> None:
        await asyncio.gather(*(queue.close() for queue in self._opened))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def queues(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Queues]:
    config = BrokerConfig(data_dir=tmp_path_factory.mktemp("broker"), queues=QUEUES, key=uuid.uuid4().hex)
    switches = Switches(BrokerFaults())
    async with AsyncExitStack() as stack:
        broker = await stack.enter_async_context(Broker(config, switches))
        text = broker.connection_string
        client = await stack.enter_async_context(ServiceBusClient.from_connection_string(text, retry_total=0))
        queues = Queues(client, switches)
        yield queues
        await queues.close()


def told(events: list[structlog.typing.EventDict]) -> list[str]:
    return [event["event"] for event in events]


async def test_messages_are_settled_under_the_right_lock_however_wrong_the_clock_is_and_it_is_told_once(
    queues: Queues,
) -> None:
    queue = queues.open("jobs")
    with structlog.testing.capture_logs() as events:
        for skew in SKEWS:
            with queue.skewed(skew):
                await queue.send()
                assert 30 <= (await queue.complete()).lock_seconds <= 60
    assert told(events) == ["clock_skewed"]
    await queue.send()
    assert 55 <= (await queue.complete()).lock_seconds <= 60
    assert await queue.receiver.is_queue_empty()


async def test_a_clock_that_is_set_during_a_job_hinders_neither_its_renewals_nor_its_settlement(
    queues: Queues,
) -> None:
    queue = queues.open("short-locks")
    await queue.send()
    delivery = await queue.take()
    for skew in (600, -600, 600, -600):
        with queue.skewed(skew):
            await asyncio.sleep(0.5)
            await queue.receiver.renew(delivery)
    with queue.skewed(-600):
        await queue.receiver.settle(delivery, Complete())
    assert await queue.receiver.is_queue_empty()


async def test_a_lock_that_is_really_lost_is_lost_whatever_the_clock_says(queues: Queues) -> None:
    queue = queues.open("short-locks")
    await queue.send()
    with queue.skewed(600):
        delivery = await queue.take()
        await asyncio.sleep(1.7)
        with pytest.raises(LockLost):
            await queue.receiver.settle(delivery, Complete())
    await queue.complete()


async def test_the_sdk_alone_refuses_to_settle_where_the_worker_does(queues: Queues) -> None:
    """What the worker keeps the SDK from; when this fails, the worker need not do it any more."""
    queue = queues.open("jobs")
    await queue.send()
    with queue.skewed(-600):
        async with queue.client.get_queue_receiver("jobs") as receiver:
            (message,) = await receiver.receive_messages(max_wait_time=10)
            with pytest.raises(MessageLockLostError):
                await receiver.complete_message(message)
            await receiver.renew_message_lock(message)
            with pytest.raises(MessageLockLostError):
                await receiver.complete_message(message)
            unjudged(message)
            await receiver.complete_message(message)


async def test_a_long_lock_is_known_by_the_first_message_that_has_not_waited(queues: Queues) -> None:
    queue = queues.open("long-locks")
    await queue.send()
    assert 290 <= (await queue.complete()).lock_seconds <= 300


async def test_a_short_lock_and_a_short_life_are_told_once(queues: Queues) -> None:
    locks, lives = queues.open("short-locks"), queues.open("jobs")
    with structlog.testing.capture_logs() as events:
        for _ in range(2):
            await locks.send()
            await locks.complete()
        for minutes in (120, 59, 10):
            await lives.send(life=timedelta(minutes=minutes))
            await lives.complete()
    assert told(events) == ["lock_short", "time_to_live_short"]
    assert events[1]["seconds"] == 59 * 60
    assert all(event["remedy"] for event in events)


async def test_a_queue_that_does_not_exist_makes_the_worker_not_ready_and_says_what_to_do(
    queues: Queues,
) -> None:
    queue = queues.open("nowhere")
    vitals = queue.watch.vitals = Vitals()
    vitals.started()
    with pytest.raises(ConfigurationFault):
        await queue.receiver.receive()
    (reason,) = vitals.ready()
    assert reason.startswith("queue: the queue 'nowhere' does not exist")
    assert "JSWORKER_QUEUE" in reason


@pytest.mark.parametrize(
    "text",
    [
        "It is not possible for an entity that requires sessions to create a non-sessionful receiver.",
        "The SessionId was not set. Entities that have session support enabled can only receive messages",
    ],
    ids=["receiving", "sending"],
)
async def test_a_queue_with_sessions_is_a_matter_of_configuration(text: str) -> None:
    with pytest.raises(ConfigurationFault, match=r"requires sessions\. Make it anew without"), mapped("jobs"):
        raise ServiceBusError(text)
    with pytest.raises(InfrastructureFault), mapped("jobs"):
        raise ServiceBusError("the service says something else")
