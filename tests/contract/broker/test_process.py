"""The broker as a process: how it starts and stops, and that a kill loses nothing that was acknowledged."""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from azure.servicebus import ServiceBusMessage
from azure.servicebus.aio import ServiceBusClient

OURS = {"name": "ours", "filter": {"correlation": {"subject": "ours"}}}
NONE = {"name": "none", "filter": {"sql": "sys.Subject <> 'ours'"}}
QUEUES = {
    "queues": [
        {"name": "jobs", "lock_duration_seconds": 2, "max_delivery_count": 50},
        {"name": "long-locks", "lock_duration_seconds": 60},
    ],
    "topics": [
        {
            "name": "events",
            "duplicate_detection_window_seconds": 60,
            "subscriptions": [
                {"name": "all"},
                {"name": "ours", "rules": [OURS]},
                {"name": "none", "rules": [NONE]},
            ],
        }
    ],
}


class Process:
    """A broker process on one data folder, started as often as asked."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = 0
        self._running: asyncio.subprocess.Process
        (folder / "queues.json").write_text(json.dumps(QUEUES))
        (folder / "key").write_text("secret\n")

    async def start(self) -> str:
        """Return the connection string; the port stays the same."""
        self._running = await self.spawn()
        assert self._running.stdout is not None
        line = json.loads(await self._running.stdout.readline())
        assert line["ready"] is True
        self._port = line["port"]
        return (
            f"Endpoint=sb://127.0.0.1:{line['port']};SharedAccessKeyName=RootManageSharedAccessKey;"
            "SharedAccessKey=secret;UseDevelopmentEmulator=true"
        )

    async def spawn(self, *options: str) -> asyncio.subprocess.Process:
        folder = self._folder
        files = ["--data", folder / "data", "--queues", folder / "queues.json", "--key-file", folder / "key"]
        return await asyncio.create_subprocess_exec(
            *(
                sys.executable,
                "-m",
                "worker.local.broker",
                *map(str, files),
                "--port",
                str(self._port),
                "--die-with-parent",
                *options,
            ),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    async def stop(self, number: signal.Signals) -> int:
        if self._running.returncode is None:
            self._running.send_signal(number)
        await asyncio.wait_for(self._running.communicate(), 5)
        assert self._running.returncode is not None
        return self._running.returncode


@pytest.fixture
async def process(tmp_path: Path) -> AsyncIterator[Process]:
    process = Process(tmp_path)
    yield process
    await process.stop(signal.SIGKILL)


@asynccontextmanager
async def connect(text: str) -> AsyncIterator[ServiceBusClient]:
    async with ServiceBusClient.from_connection_string(text, retry_total=0) as client:
        yield client


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_stops_it_with_status_0(process: Process, number: signal.Signals) -> None:
    await process.start()
    assert await asyncio.wait_for(process.stop(number), 2) == 0


async def test_a_wrong_queues_file_is_explained_with_status_2(process: Process, tmp_path: Path) -> None:
    (tmp_path / "queues.json").write_text('{"queues": [{"name": "jobs", "lock_seconds": 3}]}')
    running = await process.spawn()
    _, errors = await running.communicate()
    process._running = running
    assert running.returncode == 2
    assert b"queues.0.lock_seconds: Extra inputs are not permitted" in errors


async def test_a_wrong_filter_is_explained_with_its_position(process: Process, tmp_path: Path) -> None:
    rule = {"name": "r", "filter": {"sql": "colour == 'red'"}}
    topic = {"name": "events", "subscriptions": [{"name": "red", "rules": [rule]}]}
    (tmp_path / "queues.json").write_text(json.dumps({"queues": [], "topics": [topic]}))
    running = await process.spawn()
    _, errors = await running.communicate()
    process._running = running
    assert running.returncode == 2
    assert b"topics.0.subscriptions.0.rules.0.filter.sql: " in errors
    assert b"at character 9: expected a property or a value, not '='" in errors


async def test_a_wrong_file_of_faults_is_explained_with_status_2(process: Process, tmp_path: Path) -> None:
    (tmp_path / "faults.json").write_text('{"broker": {"busy_rate": 7}}')
    running = await process.spawn(f"--faults={tmp_path / 'faults.json'}")
    _, errors = await running.communicate()
    process._running = running
    assert running.returncode == 2
    assert b"broker.busy_rate: Input should be less than or equal to 1" in errors


async def send_until_killed(client: ServiceBusClient, acknowledged: set[str], name: str) -> None:
    async with client.get_queue_sender("jobs") as sender:
        for number in range(10_000):
            body = f"{name}-{number}"
            await sender.send_messages(ServiceBusMessage(body))
            acknowledged.add(body)


async def complete_until_killed(
    client: ServiceBusClient, counts: dict[str, int], completed: set[str], enough: asyncio.Event
) -> None:
    async with client.get_queue_receiver("jobs") as receiver:
        while True:
            for message in await receiver.receive_messages(1, max_wait_time=1):
                counts[str(message)] = message.delivery_count or 0
                if message.sequence_number and message.sequence_number % 3:
                    await receiver.complete_message(message)
                    completed.add(str(message))
                    if len(completed) == 40:
                        enough.set()


# The SDK never closes the socket of a lost connection.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_a_kill_loses_nothing_that_was_acknowledged(process: Process) -> None:
    sent: set[str] = set()
    completed: set[str] = set()
    received: dict[str, int] = {}
    enough = asyncio.Event()
    async with connect(await process.start()) as client:
        work = [
            asyncio.ensure_future(send_until_killed(client, sent, "a")),
            asyncio.ensure_future(send_until_killed(client, sent, "b")),
            asyncio.ensure_future(complete_until_killed(client, received, completed, enough)),
            asyncio.ensure_future(complete_until_killed(client, received, completed, enough)),
        ]
        await asyncio.wait_for(enough.wait(), 30)
        await process.stop(signal.SIGKILL)
        await asyncio.wait(work, timeout=10)
        for task in work:
            task.cancel()
        await asyncio.gather(*work, return_exceptions=True)
    left: dict[str, int] = {}
    async with connect(await process.start()) as client, client.get_queue_receiver("jobs") as receiver:
        assert len(await receiver.peek_messages(1)) == 1
        while messages := await receiver.receive_messages(100, max_wait_time=3):
            for message in messages:
                left[str(message)] = message.delivery_count or 0
            await asyncio.gather(*map(receiver.complete_message, messages))
    assert sent - completed <= left.keys()
    assert not completed & left.keys()
    assert all(left[body] > received[body] for body in left.keys() & received.keys())


async def publish_until_killed(
    client: ServiceBusClient, acknowledged: set[str], name: str, enough: asyncio.Event
) -> None:
    """Every third is scheduled, for a time that comes before or after the kill."""
    async with client.get_topic_sender("events") as sender:
        for number in range(10_000):
            message = ServiceBusMessage(f"{name}-{number}", message_id=f"{name}-{number}", subject="ours")
            if number % 3:
                await sender.send_messages(message)
            else:
                due = datetime.now(UTC) + timedelta(seconds=number % 4 / 10)
                await sender.schedule_messages(message, due)
            acknowledged.add(str(message))
            if len(acknowledged) == 150:
                enough.set()


async def take_all(client: ServiceBusClient, subscription: str) -> list[str]:
    taken: list[str] = []
    async with client.get_subscription_receiver("events", subscription) as receiver:
        while messages := await receiver.receive_messages(100, max_wait_time=1.5):
            taken += map(str, messages)
    return taken


# The SDK never closes the socket of a lost connection.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_a_kill_leaves_every_published_message_once_in_each_subscription(process: Process) -> None:
    published: set[str] = set()
    enough = asyncio.Event()
    async with connect(await process.start()) as client:
        work = [
            asyncio.ensure_future(publish_until_killed(client, published, name, enough)) for name in "abc"
        ]
        await asyncio.wait_for(enough.wait(), 30)
        await process.stop(signal.SIGKILL)
        await asyncio.wait(work, timeout=10)
        for task in work:
            task.cancel()
        await asyncio.gather(*work, return_exceptions=True)
    async with connect(await process.start()) as client:
        async with client.get_topic_sender("events") as sender:
            await sender.send_messages([ServiceBusMessage("again", message_id=same) for same in published])
        everything, ours, none = await asyncio.gather(
            *(take_all(client, subscription) for subscription in ("all", "ours", "none"))
        )
    assert published <= set(everything)
    assert sorted(everything) == sorted(ours) == sorted(set(ours))
    assert none == []


# The SDK never closes the socket of a lost connection.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_a_lock_outlives_the_process_and_its_holder_settles(process: Process) -> None:
    async with connect(await process.start()) as client, client.get_queue_receiver("long-locks") as receiver:
        async with client.get_queue_sender("long-locks") as sender:
            await sender.send_messages(ServiceBusMessage("held"))
        (message,) = await receiver.receive_messages(1, max_wait_time=5)
        await process.stop(signal.SIGKILL)
        async with connect(await process.start()) as again, again.get_queue_receiver("long-locks") as other:
            assert await other.receive_messages(1, max_wait_time=0.3) == []
            await other.complete_message(message)
            assert await other.peek_messages(1) == []
