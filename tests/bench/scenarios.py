"""Runs of a worker against the simulated stack.

A run begins when all its receivers are open: a few jobs go first, then the worker is left until it is quiet.
The makespan is from the beginning of the first execution to the last result's commit; CPU counts from the
first send until the worker is quiet again, so that it includes settlements and progress records.
"""

from __future__ import annotations

import asyncio
import signal
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.bench.figures import Row, Target, percentile
from tests.bench.processes import BenchError, Process, process
from tests.bench.stack import QUEUE, Stack, stack

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

JSWORKER = "jsworker"
BARE_LOOP = "bare SDK loop"
COMMANDS = {JSWORKER: ("worker.cli", "run"), BARE_LOOP: ("tests.bench.bare_loop",)}
_OPEN_SECONDS = 60


@dataclass(frozen=True)
class Load:
    """Jobs that take ``seconds`` each, on so many sessions; of one program, or each of its own.

    ``efficiency`` is what is wanted, None where the load is too short to tell.
    """

    name: str
    sessions: int
    jobs: int
    seconds: float
    efficiency: float | None
    shared_code: bool = False

    def programs(self) -> list[str]:
        """The programs' texts."""
        count = 1 if self.shared_code else self.jobs
        return [f"// wait {self.seconds}\nconsole.log({index});\n" for index in range(count)]


@dataclass(frozen=True)
class Run:
    """A worker that has all its receivers open, and its stack."""

    stack: Stack
    worker: Process

    def cpu(self) -> dict[str, float]:
        """CPU seconds so far of each process."""
        return {
            "worker": self.worker.cpu_seconds(),
            "broker": self.stack.broker.cpu_seconds(),
            "blobs": self.stack.blobs.cpu_seconds(),
            "pool": self.stack.pool.cpu_seconds(),
        }


@asynccontextmanager
async def ready_run(
    folder: Path,
    contender: str,
    sessions: int,
    profile: Path | None = None,
    *,
    allocate_seconds: float = 0.0,
) -> AsyncIterator[Run]:
    """Start the stack and a worker on it; begins when the worker is ready."""
    sampler = ("tests.bench.sampler", str(profile)) if profile else ()
    command = ("-m", *sampler, *COMMANDS[contender])
    async with (
        stack(folder, sessions, allocate_seconds) as services,
        process(command, folder / "worker.log", services.environ) as worker,
    ):
        await warm_up(services, worker, 2 * sessions)
        if profile:
            worker.child.send_signal(signal.SIGUSR1)
        yield Run(services, worker)


async def measure(load: Load, contender: str, folder: Path, profile: Path | None = None) -> Row:
    """The figures of one load, and the bounds on them where the worker is ours."""
    async with ready_run(folder, contender, load.sessions, profile) as run:
        codes = await run.stack.upload("load", load.programs())
        codes *= load.jobs // len(codes)
        before = run.cpu()
        await run.stack.send("load", codes)
        ideal = load.jobs * load.seconds / load.sessions
        last = await run.stack.wait_for_results("load/", load.jobs, run.worker, 60 + 4 * ideal)
        await quiet(run.worker, 0.5)
        spent = {name: seconds - before[name] for name, seconds in run.cpu().items()}
        await _check(run.stack, "load/", load.jobs)
        stats = await run.stack.pool_stats()
        makespan = last - stats["first_begin"]
        figures = {
            "jobs_per_second": load.jobs / makespan,
            "efficiency": ideal / makespan,
            **{f"{name}_cpu_ms": seconds / load.jobs * 1000 for name, seconds in spent.items()},
            "memory_mb": run.worker.peak_memory_mb(),
            "peak_sessions": stats["peak_sessions"],
            "refused": stats["refused"],
        }
    return Row(load.name, contender, figures, _load_targets(load, figures) if contender == JSWORKER else ())


def _load_targets(load: Load, figures: dict[str, float]) -> tuple[Target, ...]:
    efficiency = load.efficiency and Target(
        "efficiency", figures["efficiency"], load.efficiency, at_least=True
    )
    return (
        *((efficiency,) if efficiency else ()),
        Target("worker CPU ms/job", figures["worker_cpu_ms"], 8),
        Target("sessions", figures["peak_sessions"], load.sessions),
    )


async def measure_overhead(contender: str, folder: Path, jobs: int, seconds: float = 0.1) -> Row:
    """One job at a time: from the call that sends it to its result's commit, less its execution."""
    overheads = []
    async with ready_run(folder, contender, sessions=16) as run:
        code = await run.stack.upload("single", [f"// wait {seconds}\n"])
        before = run.worker.cpu_seconds()
        for index in range(jobs):
            begin = time.monotonic()
            await run.stack.send(f"single{index}", code)
            last = await run.stack.wait_for_results(f"single{index}/", 1, run.worker, 30)
            overheads.append((last - begin - seconds) * 1000)
        spent = run.worker.cpu_seconds() - before
        memory = run.worker.peak_memory_mb()
    figures = {
        "overhead_p50_ms": percentile(overheads, 0.5),
        "overhead_p99_ms": percentile(overheads, 0.99),
        "worker_cpu_ms": spent / jobs * 1000,
        "memory_mb": memory,
    }
    return Row("low load: one job at a time", contender, figures)


async def measure_memory(folder: Path, waiting: int, sessions: int = 64) -> Row:
    """Peak memory with so many messages waiting, when at most 1,000 of them are done."""
    done = min(waiting, 1000)
    async with stack(folder, sessions) as services:
        (code,) = await services.upload("memory", ["// wait 0.1\n"])
        await services.send("memory", [code] * waiting)
        async with process(("-m", *COMMANDS[JSWORKER]), folder / "worker.log", services.environ) as worker:
            await services.wait_for_results("memory/", done, worker, _OPEN_SECONDS + done / 10)
            await asyncio.sleep(2)
            memory = worker.peak_memory_mb()
        await _check(services, "memory/", done)
    bound = Target("MB with 64 slots", memory, 150)
    return Row(f"memory: {waiting:,} messages waiting", JSWORKER, {"memory_mb": memory}, (bound,))


async def warm_up(services: Stack, worker: Process, jobs: int, queue: str = QUEUE) -> None:
    """Run a few jobs, until the worker has all links open and nothing to do."""
    codes = await services.upload(f"warm-{queue}", ["// wait 0.05\n"])
    await services.send(f"warm-{queue}", codes * jobs, queue)
    await services.wait_for_results(f"warm-{queue}/", jobs, worker, _OPEN_SECONDS)
    await quiet(worker, 2.0)  # a link takes half a second to open, so each two seconds some would come
    await services.forget_pool_stats()


async def quiet(worker: Process, seconds: float) -> None:
    """Wait until the worker has nothing to do for so long."""
    deadline = time.monotonic() + _OPEN_SECONDS
    while not await worker.is_quiet(seconds):
        if time.monotonic() > deadline:
            raise BenchError(f"the worker is busy without a job:\n{worker.tail()}")


async def _check(services: Stack, prefix: str, jobs: int) -> None:
    succeeded = await services.results(prefix, '"status":"succeeded"')
    if succeeded["count"] < jobs:
        raise BenchError(f"{succeeded['count']} of {jobs} jobs succeeded")
