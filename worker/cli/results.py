"""``jsworker results``."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from worker.app import open_client
from worker.batch import Folder
from worker.cli.running import UNDONE, batch_name, examples, output, quiet_logs, run
from worker.report import JsonArray, JsonLines, Outcome, Table, write
from worker.settings import ClientSettings, load
from worker.views import counting, generation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from worker.batch import Store
    from worker.report import Places, Writer
    from worker.views import View

FORMATS = click.Choice(["table", "jsonl", "json"])
OUT = click.Path(dir_okay=False, path_type=Path)
WIDTH_OF_FILES = 160
_NAMED = 20


@click.command(
    "results",
    epilog=examples(
        "jsworker results hw1",
        "jsworker results hw1 --generation 2",
        "jsworker results hw1 --format jsonl --out results.jsonl",
        "jsworker results hw1 --format jsonl | jq -r 'select(.status != \"succeeded\").id'",
    ),
)
@click.argument("batch", callback=batch_name)
@click.option("--format", "form", type=FORMATS, default="table", show_default=True)
@click.option("--out", type=OUT, help="A file, written whole or not at all.")
@click.option(
    "--generation", "number", type=click.IntRange(min=1), help="Not what counts, but this generation."
)
def command(batch: str, form: str, out: Path | None, number: int | None) -> None:
    """Show what came out of a batch, in the order its jobs were submitted.

    Of a batch that was graded again, the results are shown that count (jsworker promote).
    The exit status is 1 while results are missing; those that are there are shown all the same.
    """
    run(_results(batch, form, out, number))


async def report(store: Store, folder: Places, ids: Sequence[str], form: str, out: Path | None) -> Outcome:
    """Write a batch's results, and name those that are missing on stderr."""
    with output(out) as stream:
        outcome = await write(store, folder, ids, _writer(form, ids, out), stream)
    if missing := outcome.missing:
        more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
        named = ", ".join(missing[:_NAMED]) + more
        click.echo(f"jsworker: {len(missing)} of {len(ids)} jobs have no result yet: {named}", err=True)
    return outcome


async def _results(batch: str, form: str, out: Path | None, number: int | None) -> int:
    settings = load(ClientSettings)
    quiet_logs()
    folder = Folder(settings.results_container, batch)
    async with open_client(settings) as client:
        view = await view_of(client.blobs, folder, number)
        outcome = await report(client.blobs, view, list(view.places), form, out)
    return UNDONE if outcome.missing else 0


async def view_of(store: Store, folder: Folder, number: int | None) -> View:
    """The results to show; which they are is said unless they are the batch's first."""
    view = await (generation(store, folder, number) if number else counting(store, folder))
    if view.numbers != (1,):
        click.echo(f"jsworker: {folder.batch}: {view.title}", err=True)
    return view


def _writer(form: str, ids: Sequence[str], out: Path | None) -> Writer:
    if form == "table":
        on_terminal = out is None and sys.stdout.isatty()
        return Table(ids, shutil.get_terminal_size().columns if on_terminal else WIDTH_OF_FILES)
    return JsonLines() if form == "jsonl" else JsonArray()
