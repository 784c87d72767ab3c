"""The parts of the local stack, each alone: the broker, the session pool, and the way to a first result."""

from __future__ import annotations

import asyncio
import sys
import time
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import httpx
from azure.servicebus import ServiceBusMessage
from azure.servicebus.aio import ServiceBusClient

from tests.bench.figures import Row, Target, percentile
from tests.bench.processes import BenchError, process
from tests.bench.stack import QUEUE, broker_command, bus_connection_string

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from azure.servicebus.aio import ServiceBusReceiver

LOCAL_STACK = "local stack"
_RECEIVERS = 16
_SESSIONS = 4
_HELLO = {"code": 'console.log("hello world")'}


async def measure_broker(folder: Path, messages: int) -> Row:
    """Sends lists of 100, then receives and completes one by one through 16 receivers."""
    async with AsyncExitStack() as resources:
        command = ("-m", *broker_command(folder))
        broker = await resources.enter_async_context(process(command, folder / "broker.log"))
        connection = bus_connection_string(await broker.ready())
        bus = await resources.enter_async_context(ServiceBusClient.from_connection_string(connection))
        receivers = [
            await resources.enter_async_context(bus.get_queue_receiver(QUEUE)) for _ in range(_RECEIVERS)
        ]
        await _send(bus, 100)  # more than are taken, so that no receiver ends with a wait for the next
        sent, sent_cpu = await _timed(_send(bus, messages), broker.cpu_seconds)
        received, received_cpu = await _timed(_receive(receivers, messages), broker.cpu_seconds)
    figures = {
        "sends_per_second": messages / sent,
        "send_cpu_ms": sent_cpu / messages * 1000,
        "receives_per_second": messages / received,
        "receive_cpu_ms": received_cpu / messages * 1000,
    }
    return Row("broker: send in lists; receive and complete", LOCAL_STACK, figures)


async def measure_pool(folder: Path, executions: int) -> Row:
    """Hello world in a fresh sandbox each, released after it, by as many callers as there are sessions."""
    token = folder / "token"
    token.write_text("token")
    command = ("-m", "worker.local.pool", "--token-file", str(token), "--max-sessions", str(_SESSIONS))
    begin = time.monotonic()
    async with process(command, folder / "pool.log") as pool:
        endpoint = (await pool.ready())["endpoint"]
        started = time.monotonic() - begin
        headers = {"Authorization": "Bearer token"}
        async with httpx.AsyncClient(
            base_url=endpoint, headers=headers, trust_env=False, timeout=60
        ) as client:
            alone = [await _hello(client, f"alone-{index}") for index in range(5)]
            share = executions // _SESSIONS
            callers = (_hellos(client, f"caller{index}", share) for index in range(_SESSIONS))
            seconds, cpu = await _timed(asyncio.gather(*callers), pool.cpu_seconds)
    figures = {
        "start_seconds": started,
        "hello_alone_ms": percentile(alone, 0.5) * 1000,
        "executions_per_second": share * _SESSIONS / seconds,
        "pool_cpu_ms": cpu / (share * _SESSIONS) * 1000,
    }
    return Row("session pool: hello world, fresh sandboxes", LOCAL_STACK, figures)


async def measure_first_result(folder: Path) -> Row:
    """``jsworker local up``, then a job by ``jsworker grade --local``, from the start to the end of both."""
    program = folder / "hello.js"
    program.write_text("console.log('hello world')\n")
    begin = time.monotonic()
    try:
        await jsworker(folder, "local", "up", "--state", str(folder / "state"))
        up = time.monotonic() - begin
        await jsworker(folder, "grade", "--local", "--strict", "--state", str(folder / "state"), str(program))
        seconds = time.monotonic() - begin
    finally:
        await jsworker(folder, "local", "down", "--state", str(folder / "state"))
    target = Target("s to the first result", seconds, 6)
    return Row("local up to the first result", LOCAL_STACK, {"up_seconds": up, "seconds": seconds}, (target,))


async def _timed(work: Awaitable[object], cpu: Callable[[], float]) -> tuple[float, float]:
    """The seconds that the work takes, and the CPU seconds of a process meanwhile."""
    begin, before = time.monotonic(), cpu()
    await work
    return time.monotonic() - begin, cpu() - before


async def _send(bus: ServiceBusClient, messages: int) -> None:
    async with bus.get_queue_sender(QUEUE) as sender:
        for _ in range(messages // 100):
            await sender.send_messages([ServiceBusMessage(b"x" * 1024) for _ in range(100)])


async def _receive(receivers: list[ServiceBusReceiver], messages: int) -> None:
    left = messages

    async def take(receiver: ServiceBusReceiver) -> None:
        nonlocal left
        while left > 0:
            for message in await receiver.receive_messages(max_message_count=1, max_wait_time=5):
                await receiver.complete_message(message)
                left -= 1

    await asyncio.gather(*(take(receiver) for receiver in receivers))


async def _hellos(client: httpx.AsyncClient, caller: str, count: int) -> None:
    for index in range(count):
        await _hello(client, f"{caller}-{index}")


async def _hello(client: httpx.AsyncClient, identifier: str) -> float:
    """Run it and release the session; returns the seconds until the answer."""
    begin = time.monotonic()
    parameters = {"api-version": "2025-10-02-preview", "identifier": identifier}
    answer = await client.post("/executions", params=parameters, json=_HELLO)
    seconds = time.monotonic() - begin
    if answer.json()["result"]["stdout"].strip() != "hello world":
        raise BenchError(f"the session pool answered {answer.text}")
    (await client.delete("/session", params=parameters)).raise_for_status()
    return seconds


async def jsworker(folder: Path, *arguments: str) -> None:
    """Run a command; raises ``BenchError`` when it fails."""
    with (folder / "jsworker.log").open("ab") as log:
        command = (sys.executable, "-m", "worker.cli", *arguments)
        child = await asyncio.create_subprocess_exec(*command, stdout=log, stderr=log)
    if await child.wait():
        text = (folder / "jsworker.log").read_text(errors="replace")
        raise BenchError(f"jsworker {' '.join(arguments)} failed:\n{text[-2000:]}")
