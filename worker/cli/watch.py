"""``jsworker watch``."""

from __future__ import annotations

import asyncio

import click

from worker.app import open_client
from worker.batch import BatchError, Folder, read_manifest
from worker.cli.progress import show_complete
from worker.cli.running import batch_name, examples, quiet_logs, run
from worker.settings import ClientSettings, load


@click.command("watch", epilog=examples("jsworker watch hw1", "jsworker watch hw1 --timeout 600"))
@click.argument("batch", callback=batch_name)
@click.option("--timeout", type=click.FloatRange(min=0, min_open=True), help="Give up after so many seconds.")
def command(batch: str, timeout: float | None) -> None:
    """Show a batch's progress until all of its jobs have a result."""
    run(_watch(batch, timeout))


async def _watch(batch: str, seconds: float | None) -> int:
    settings = load(ClientSettings)
    quiet_logs()
    folder = Folder(settings.results_container, batch)
    async with open_client(settings) as client:
        entries = await read_manifest(client.blobs, folder)
        try:
            async with asyncio.timeout(seconds):
                await show_complete(client.blobs, folder, [entry.id for entry in entries])
        except TimeoutError:
            raise BatchError(
                f"after {seconds:g} s the batch {batch!r} is not complete: is a worker running?"
            ) from None
    return 0
