"""``jsworker cancel``."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click

from worker.batch import BatchError, Folder
from worker.calling_off import call_off
from worker.cancelling import MARKERS
from worker.cli.progress import show
from worker.cli.running import batch_name, examples, quiet_logs, run
from worker.cli.target import batch_or_job
from worker.settings import ClientSettings, load
from worker.tools import open_client
from worker.watching import follow

if TYPE_CHECKING:
    from worker.tools import BatchTools

KEPT_DAYS = 30  # longer than messages live


@click.command(
    "cancel",
    epilog=examples(
        "jsworker cancel hw1",
        "jsworker cancel hw1/s0042 --wait",
        "jsworker cancel --batch hw1 --job s0042",
    ),
)
@click.argument("target", required=False, metavar="BATCH[/JOB]")
@click.option("--job", help="One job of the batch.")
@click.option("--batch", callback=batch_name, help="The batch, in place of the argument.")
@click.option("--wait", is_flag=True, help="Follow until all that is cancelled has its result.")
@click.option("--force", is_flag=True, help="Also what no manifest has: jobs that come from elsewhere.")
def command(target: str | None, job: str | None, batch: str | None, *, wait: bool, force: bool) -> None:
    """End a batch, or one of its jobs: what waits is not run, what runs is stopped.

    Each job that has no result yet ends as cancelled, when a worker comes to it. Results that are there
    stay. Nothing more can be submitted to a batch that was cancelled.
    """
    run(_cancel(*batch_or_job(target, job, batch), wait=wait, force=force))


async def _cancel(batch: str, job_id: str | None, *, wait: bool, force: bool) -> int:
    settings = load(ClientSettings)
    quiet_logs()
    folder = Folder(settings.results_container, batch)
    async with open_client(settings) as client:
        await _forget_old(client, folder.container)
        ids = await call_off(client.blobs, folder, job_id, force=force)
        click.echo(said(batch, job_id, ids), err=True)
        if wait and ids is None:
            raise BatchError(f"the batch {batch!r} has no manifest: when it is complete cannot be known")
        if wait and ids:
            await show(batch, follow(client.blobs, folder, ids))
    return 0


def said(batch: str, job_id: str | None, ids: list[str] | None) -> str:
    """What was done, in a line."""
    name = f"{batch}/{job_id}" if job_id else batch
    if ids is None:
        return f"{name}: cancelled; what has no result yet will end as cancelled when a worker comes to it"
    if not ids:
        return f"{name}: there is nothing to cancel, {'it has' if job_id else 'all jobs have'} ended already"
    jobs = "the job has" if job_id else f"{len(ids)} {'job has' if len(ids) == 1 else 'jobs have'}"
    return f"{name}: cancelled; {jobs} no result yet and will end as cancelled when a worker comes to it"


async def _forget_old(client: BatchTools, container: str) -> None:
    """Remove the markers of jobs that are long gone; first, so that a marker that is renewed stays."""
    before = datetime.now(UTC) - timedelta(days=KEPT_DAYS)
    for name in await client.blobs.older(container, MARKERS, before):
        await client.blobs.delete(f"{container}/{name}")
