"""``jsworker diff``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from worker.batch import BatchError, Folder
from worker.changes import difference, not_graded, seen, unstable
from worker.cli import differences
from worker.cli.running import SHORT, batch_name, examples, output, quiet_logs, run
from worker.generations import read_generations, refuse_generation
from worker.settings import ClientSettings, load
from worker.tools import open_client
from worker.views import counting, generation

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TextIO

    from worker.batch import Store
    from worker.views import View

FORMATS = click.Choice(["table", "json", "csv"])
PAIR = 2


@click.command(
    "diff",
    epilog=examples(
        "jsworker diff hw1 2            # what counts, and generation 2",
        "jsworker diff hw1 1 2 --format csv > changes.csv",
        "jsworker diff hw1 2 3 4        # what three runs did not grade alike",
    ),
)
@click.argument("batch", callback=batch_name)
@click.argument("numbers", nargs=-1, type=click.IntRange(min=1), metavar="[A] [B]")
@click.option("--format", "form", type=FORMATS, default="table", show_default=True)
@click.option("--strict", is_flag=True, help="Exit with 3 if anything differs.")
def command(batch: str, numbers: tuple[int, ...], form: str, *, strict: bool) -> None:
    """Show whose verdict or points differ between the generations A and B.

    With one number that generation is compared with what counts, without any the newest one is. Of
    generations that have some of the jobs only, those are compared that both have. With more than two
    numbers, the jobs are named that these runs did not grade alike.
    """
    run(_diff(batch, numbers, form, strict=strict))


async def report_unstable(
    store: Store, folder: Folder, numbers: Sequence[int], out: TextIO, form: str = "table"
) -> int:
    """Name the jobs that runs did not grade alike; how many there are."""
    runs = [await seen(store, await generation(store, folder, number)) for number in numbers]
    varying, ungraded = await unstable(store, runs), not_graded(runs)
    if form == "json":
        document = differences.unstable_document(folder.batch, numbers, varying, ungraded)
        out.write(json.dumps(document, indent=1) + "\n")
    elif form == "csv":
        differences.write_unstable(varying, out)
    else:
        out.writelines(f"{line}\n" for line in differences.unstable_table(varying))
    for line in differences.unstable_summary(folder.batch, numbers, varying, ungraded):
        click.echo(line, err=True)
    return len(varying)


async def _diff(batch: str, numbers: Sequence[int], form: str, *, strict: bool) -> int:
    settings = load(ClientSettings)
    quiet_logs()
    folder = Folder(settings.results_container, batch)
    async with open_client(settings) as client:
        await refuse_generation(client.blobs, folder)
        if len(numbers) > PAIR:
            with output(None) as out:
                found = await report_unstable(client.blobs, folder, numbers, out, form)
        else:
            found = await _report(client.blobs, folder, numbers, form)
    return SHORT if strict and found else 0


async def _report(store: Store, folder: Folder, numbers: Sequence[int], form: str) -> int:
    before, after = await pair(store, folder, numbers)
    found = difference(await seen(store, before), await seen(store, after))
    with output(None) as out:
        if form == "json":
            out.write(json.dumps(differences.document(folder.batch, found), indent=1) + "\n")
        elif form == "csv":
            differences.write_csv(found, out)
        else:
            out.writelines(f"{line}\n" for line in differences.table(folder.batch, found))
    return len(found.changes)


async def pair(store: Store, folder: Folder, numbers: Sequence[int]) -> tuple[View, View]:
    """The two generations that are meant by as many numbers, or fewer.

    Raises:
        BatchError: there is no such batch or generation, or only one.
    """
    if len(numbers) == PAIR:
        return await generation(store, folder, numbers[0]), await generation(store, folder, numbers[1])
    counts = await counting(store, folder)
    newest = (await read_generations(store, folder)).next_number - 1
    number = numbers[0] if numbers else newest
    if counts.numbers[0] == number:
        raise BatchError(
            f"generation {number} of {folder.batch!r} is what counts: name the other one too, as in "
            f"jsworker diff {folder.batch} 1 2 (jsworker regrade makes another)"
        )
    return counts, await generation(store, folder, number)
