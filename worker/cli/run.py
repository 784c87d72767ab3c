"""``jsworker run``."""

from __future__ import annotations

import asyncio
import signal

import click

from worker import log
from worker.app import run_worker
from worker.cli.running import examples, run
from worker.settings import WorkerSettings, load


@click.command(
    "run",
    epilog=examples(
        "jsworker run",
        "jsworker run --drain     # for a job that is started when there is work",
    ),
)
@click.option("--drain", is_flag=True, help="End when the queue is empty.")
def command(*, drain: bool) -> None:
    """Run the worker: take jobs from the queue until told to stop.

    At SIGTERM or SIGINT it takes no more, gives the running jobs JSWORKER_SHUTDOWN_GRACE_SECONDS and hands
    the rest back to the queue; a second signal ends it at once.
    """
    run(_serve(drain=drain))


async def _serve(*, drain: bool) -> int:
    settings = load(WorkerSettings)
    log.configure(settings.log_format, settings.log_level)
    stop = asyncio.Event()
    worker = asyncio.create_task(run_worker(settings, stop=stop, drain=drain))

    def on_signal() -> None:
        if stop.is_set():
            worker.cancel()
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, on_signal)
    return await worker
