"""``jsworker watch``."""

from __future__ import annotations

import asyncio

import click

from worker.batch import BatchError, Folder, read_manifest
from worker.cli.chain import tree
from worker.cli.progress import show_complete
from worker.cli.running import examples, quiet_logs, run
from worker.cli.target import batch_or_job
from worker.following import Chain, follow_chain
from worker.report import printable
from worker.settings import ClientSettings, load
from worker.tools import open_client


@click.command(
    "watch",
    epilog=examples("jsworker watch hw1", "jsworker watch hw1 --timeout 600", "jsworker watch reports/r1"),
)
@click.argument("target", metavar="BATCH[/JOB]")
@click.option("--timeout", type=click.FloatRange(min=0, min_open=True), help="Give up after so many seconds.")
def command(target: str, timeout: float | None) -> None:
    """Show a batch's progress until all of its jobs have a result.

    With BATCH/JOB, follow the chain that begins with a job until all that comes after it has ended, and
    then print it as a tree.
    """
    batch, job_id = batch_or_job(target, None, None)
    run(_watch_chain(batch, job_id, timeout) if job_id else _watch(batch, timeout))


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


async def _watch_chain(batch: str, job_id: str, seconds: float | None) -> int:
    settings = load(ClientSettings)
    quiet_logs()
    async with open_client(settings) as client:
        chain = Chain(client.blobs, settings.results_container, batch, job_id)
        try:
            async with asyncio.timeout(seconds):
                async for _ in follow_chain(chain):
                    left = f", {len(chain.waiting)} waiting" if chain.waiting else ""
                    click.echo(f"{chain.root.reference}: {chain.ended} ended{left}", err=True)
        except TimeoutError:
            raise BatchError(
                f"after {seconds:g} s the chain of {chain.root.reference} has not ended: "
                f"{chain.waiting[0].reference} is waiting (jsworker explain tells why)"
            ) from None
    for line in tree(chain.root):
        click.echo(printable(line))
    return 0
