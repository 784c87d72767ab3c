"""The Service Bus adapter while the broker hangs with its connections open: noticed, bounded, mended."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
import structlog
from azure.servicebus.aio import ServiceBusClient

from worker.clock import now
from worker.faults import InfrastructureFault, LockLost
from worker.messages import Outgoing
from worker.servicebus import Probe, Receiver, Sender
from worker.settlement import Complete
from worker.vitals import Vitals
from worker.watchdog import QueueWatch, Times, Watchdog

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from worker.delivery import Delivery

TIMES = Times(call=1.5, receive=3, close=0.5, quiet=0.4, probe=1)
pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    # The SDK never closes the socket of a lost connection.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


class HangingBroker:
    """A broker in a process that can be stopped for a while."""

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        self._process = process
        self.connection_string = (
            f"Endpoint=sb://127.0.0.1:{port};SharedAccessKeyName=RootManageSharedAccessKey;"
            "SharedAccessKey=secret;UseDevelopmentEmulator=true"
        )

    def hang(self) -> None:
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self._process.send_signal(signal.SIGCONT)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def broker(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[HangingBroker]:
    folder: Path = tmp_path_factory.mktemp("broker")
    (folder / "queues.json").write_text(json.dumps({"queues": [{"name": "jobs"}]}))
    (folder / "key").write_text("secret\n")
    files = (f"--data={folder}/data", f"--queues={folder}/queues.json", f"--key-file={folder}/key")
    command = (sys.executable, "-m", "worker.local.broker", *files, "--port=0", "--die-with-parent")
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    try:
        assert process.stdout
        yield HangingBroker(process, json.loads(await process.stdout.readline())["port"])
    finally:
        process.kill()
        await process.communicate()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sender(broker: HangingBroker) -> AsyncIterator[Sender]:
    """Opening and closing links takes a second: the tests of this module share this one."""
    async with AsyncExitStack() as stack:
        text = broker.connection_string
        client = await stack.enter_async_context(ServiceBusClient.from_connection_string(text, retry_total=0))
        sender = Sender(client, "jobs")
        stack.push_async_callback(sender.close)
        yield sender


class Queue:
    """What a worker has of a queue."""

    def __init__(self, sender: Sender, times: Times) -> None:
        self.sender, self.client = sender, sender._client
        self.vitals = Vitals()
        self.vitals.started()
        self.watch = QueueWatch(self.vitals, times)
        self.receiver = Receiver(self.client, "jobs", sender, asyncio.Semaphore(4), self.watch)
        self.probe = Probe(self.client, "jobs", self.watch)

    async def send(self) -> None:
        await self.sender.send([Outgoing(b"{}", "j1")])

    async def take(self) -> Delivery:
        """A slot's way: after a fault it goes on."""
        async with asyncio.timeout(15):
            while True:
                with suppress(InfrastructureFault):
                    if delivery := await self.receiver.receive():
                        return delivery


@asynccontextmanager
async def opened(sender: Sender, times: Times = TIMES) -> AsyncIterator[Queue]:
    queue = Queue(sender, times)
    try:
        yield queue
    finally:
        await asyncio.gather(queue.receiver.close(), queue.probe.close())


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - vitals are asked, they tell nobody
            await asyncio.sleep(0.02)


async def refused_within(seconds: float, call: Callable[[], object]) -> None:
    began = now()
    with pytest.raises(InfrastructureFault):
        await call()  # type: ignore[misc] # a coroutine of whatever kind
    assert now() - began < seconds


async def test_a_broker_that_hangs_is_noticed_though_receiving_raises_nothing_and_work_goes_on_after_it(
    broker: HangingBroker, sender: Sender
) -> None:
    async with opened(sender) as queue:
        watchdog = asyncio.create_task(Watchdog(queue.watch, queue.probe.ask).run())
        assert await queue.receiver.receive() is None
        assert queue.vitals.ready() == []
        with structlog.testing.capture_logs() as events:
            broker.hang()
            assert await queue.receiver.receive() is None
            await until(queue.vitals.ready)
            assert queue.vitals.live() == []
            await refused_within(TIMES.call + 1, queue.receiver.receive)
            broker.go_on()
            await until(lambda: not queue.vitals.ready())
        names = [event["event"] for event in events]
        assert names.count("queue_silent") == 1
        assert (names.count("part_ill"), names.count("part_well")) == (1, 1)
        watchdog.cancel()
        await asyncio.wait({watchdog})
        await queue.send()
        await queue.receiver.settle(await queue.take(), Complete())


async def test_calls_and_closing_are_bounded_while_the_broker_hangs_and_the_message_is_settled_after_it(
    broker: HangingBroker, sender: Sender
) -> None:
    async with opened(sender) as queue:
        await queue.send()
        delivery = await queue.take()
        broker.hang()
        late = replace(delivery, lock_seconds=0.1)  # else it is tried again while the lock lives
        await refused_within(TIMES.call + 1, lambda: queue.receiver.settle(late, Complete()))
        await refused_within(TIMES.call + 1, queue.receiver.receive)  # opens a link
        began = now()
        await queue.receiver.close()
        assert now() - began < 4 * TIMES.close + 1
        broker.go_on()
        with suppress(LockLost):  # the first one may have been done
            await queue.receiver.settle(delivery, Complete())
        assert await queue.receiver.is_queue_empty()


async def test_a_renewal_that_is_cancelled_leaves_the_receiver_free_for_the_settlement(
    broker: HangingBroker, sender: Sender
) -> None:
    async with opened(sender) as queue:
        await queue.send()
        delivery = await queue.take()
        broker.hang()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(queue.receiver.renew(delivery), 0.2)
        broker.go_on()
        await queue.receiver.settle(delivery, Complete())
        assert await queue.receiver.is_queue_empty()


async def test_a_message_that_arrives_for_a_receive_given_up_is_soon_there_for_another(
    sender: Sender,
) -> None:
    async with opened(sender, Times(receive=0.2, close=2)) as hasty, opened(sender) as patient:
        await refused_within(2, hasty.receiver.receive)
        await patient.send()
        await patient.receiver.settle(await patient.take(), Complete())


async def test_a_link_without_a_message_for_long_is_built_anew_and_neither_that_nor_a_probe_takes_a_message(
    sender: Sender,
) -> None:
    async with opened(sender, Times(silence=0.5)) as queue:
        with structlog.testing.capture_logs() as events:
            for _ in range(2):
                assert await queue.receiver.receive() is None
        assert [event["event"] for event in events] == ["receiver_recycled"]
        await queue.send()
        await queue.probe.ask()
        delivery = await queue.take()
        assert delivery.delivery_count == 0
        await queue.receiver.settle(delivery, Complete())
