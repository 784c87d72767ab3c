"""What measuring costs a worker: workers that do and that do not, side by side.

They share a stack, have queues of their own, and run as many jobs in the same time. What else the machine
does meets all of them alike, so a ratio is of their CPU times in one round.
"""

from __future__ import annotations

import asyncio
import socket
from contextlib import AsyncExitStack
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

import httpx

from tests.bench.figures import Row, Target
from tests.bench.http_server import Request, Response, Server
from tests.bench.processes import process
from tests.bench.scenarios import COMMANDS, JSWORKER, quiet, warm_up
from tests.bench.stack import stack

if TYPE_CHECKING:
    from pathlib import Path

    from tests.bench.processes import Process
    from tests.bench.stack import Stack

OFF, METRICS, TRACES = "off", "metrics", "traces"
_SESSIONS = 10
_JOBS = 200
_MOST = 1.05  # times the CPU of a worker that measures nothing


@dataclass(frozen=True)
class _Contender:
    """A worker with its queue, and its page of metrics if it has one."""

    queue: str
    worker: Process
    page: str | None = None

    async def cpu_of_round(self, services: Stack, codes: list[dict[str, str]], number: int) -> float:
        """The CPU seconds of a round, of which its page is read once."""
        batch, before = f"{self.queue}-{number}", self.worker.cpu_seconds()
        await services.send(batch, codes, self.queue)
        await services.wait_for_results(f"{batch}/", len(codes), self.worker, 90)
        if self.page:
            async with httpx.AsyncClient(trust_env=False) as client:
                (await client.get(self.page)).raise_for_status()
        await quiet(self.worker, 0.5)
        return self.worker.cpu_seconds() - before


async def measure_telemetry(folder: Path, rounds: int) -> list[Row]:
    """The CPU of each kind of worker, and how many times that of one that measures nothing it is."""
    async with AsyncExitStack() as resources:
        opened = stack(folder, 3 * _SESSIONS, queues=(OFF, METRICS, TRACES))
        services = await resources.enter_async_context(opened)
        collector = await resources.enter_async_context(Server(_taken))
        contenders = [
            await _started(folder, services, resources, queue, collector.url)
            for queue in (OFF, METRICS, TRACES)
        ]
        codes = await services.upload("telemetry", ["// wait 0.02\nconsole.log(1);\n"]) * _JOBS
        spent: dict[str, list[float]] = {contender.queue: [] for contender in contenders}
        for number in range(rounds):
            rounds_of_all = (contender.cpu_of_round(services, codes, number) for contender in contenders)
            for contender, seconds in zip(contenders, await asyncio.gather(*rounds_of_all), strict=True):
                spent[contender.queue].append(seconds)
    return [_row(queue, seconds, spent[OFF]) for queue, seconds in spent.items()]


def _row(queue: str, seconds: list[float], base: list[float]) -> Row:
    ratio = median(own / other for own, other in zip(seconds, base, strict=True))
    figures = {"worker_cpu_ms": median(seconds) / _JOBS * 1000, "times_as_much": ratio}
    targets = (Target("times the CPU", ratio, _MOST),) if queue == METRICS else ()
    return Row(f"telemetry: {queue}", JSWORKER, figures, targets)


async def _started(
    folder: Path, services: Stack, resources: AsyncExitStack, queue: str, collector: str
) -> _Contender:
    port = _free_port()
    measuring = {"JSWORKER_METRICS": "true", "JSWORKER_HEALTH_PORT": str(port)}
    environ = {
        **services.environ,
        "JSWORKER_QUEUE": queue,
        "JSWORKER_MAX_SESSIONS": str(_SESSIONS),
        **({} if queue == OFF else measuring),
        **({"JSWORKER_OTLP_ENDPOINT": collector} if queue == TRACES else {}),
    }
    command = ("-m", *COMMANDS[JSWORKER])
    worker = await resources.enter_async_context(process(command, folder / f"{queue}.log", environ))
    await warm_up(services, worker, 2 * _SESSIONS, queue)
    return _Contender(queue, worker, None if queue == OFF else f"http://127.0.0.1:{port}/metrics")


def _taken(_request: Request) -> Response:
    return Response(200)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port
