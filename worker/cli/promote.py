"""``jsworker promote``."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

import click

from worker.batch import BatchError, Folder
from worker.cli.running import batch_name, examples, quiet_logs, run
from worker.completion import is_complete
from worker.generations import Generations, change_generations, refuse_generation
from worker.outcomes import outcomes
from worker.settings import ClientSettings, load
from worker.tools import open_client
from worker.views import counting, generation

if TYPE_CHECKING:
    from worker.batch import Store
    from worker.views import View


@click.command(
    "promote",
    epilog=examples("jsworker promote hw1 2", "jsworker promote hw1 --undo"),
)
@click.argument("batch", callback=batch_name)
@click.argument("number", type=click.IntRange(min=1), required=False, metavar="GENERATION")
@click.option("--undo", is_flag=True, help="Go back to what counted before the last promotion.")
def command(batch: str, number: int | None, *, undo: bool) -> None:
    """Make a generation the one that counts: it is what results and diff show by default.

    Jobs that the generation does not have keep the result that counted before. Nothing is removed, and
    each promotion stays on record.
    """
    if (number is None) != undo:
        raise click.UsageError("Give either a GENERATION or --undo.")
    run(_promote(batch, number))


async def promote(store: Store, folder: Folder, number: int | None) -> tuple[View, int]:
    """Make a generation count, or with None undo that; what counts then, and its jobs that are not graded.

    Raises:
        BatchError: there is no such batch or generation, it is not complete, or there is nothing to undo.
    """
    await refuse_generation(store, folder)
    at, ungraded = datetime.now(UTC), 0
    if number is None:
        await generation(store, folder, 1)
        record = await change_generations(store, folder, lambda record: record.undone(at))
        return await counting(store, folder, record.counted), 0
    view = await generation(store, folder, number)
    if number > 1:
        await _check_complete(store, view.folder, number)
        found = await outcomes(store, view.places)
        ungraded = sum(not outcome.is_graded for outcome in found.values())
    change = partial(Generations.promoted, number=number, at=at)
    record = await change_generations(store, folder, change)
    return await counting(store, folder, record.counted), ungraded


async def _promote(batch: str, number: int | None) -> int:
    settings = load(ClientSettings)
    quiet_logs()
    async with open_client(settings) as client:
        view, ungraded = await promote(client.blobs, Folder(settings.results_container, batch), number)
    click.echo(f"{batch}: {view.title} counts now", err=True)
    if ungraded:
        click.echo(f"  {ungraded} of its jobs are not graded: jsworker retry {batch}", err=True)
    if number is not None and number != 1:
        click.echo(f"  to go back: jsworker promote {batch} --undo", err=True)
    return 0


async def _check_complete(store: Store, folder: Folder, number: int) -> None:
    if not await is_complete(store, folder):
        raise BatchError(
            f"generation {number} is not complete: jsworker watch {folder.batch} follows it, "
            f"jsworker reconcile {folder.batch} finds what is missing"
        )
