"""``jsworker results``."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass, replace
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from worker.batch import Folder
from worker.cli.running import UNDONE, batch_name, examples, output, quiet_logs, run
from worker.report.formats import FORMATS, Report
from worker.report.reading import Outcome, write
from worker.report.standing import name_of
from worker.settings import ClientSettings, load
from worker.tools import open_client
from worker.views import counting, generation

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from worker.batch import Store
    from worker.report.reading import Places
    from worker.views import View

WIDTH_OF_FILES = 160
_OUT = click.Path(dir_okay=False, path_type=Path)
_FOLDER = click.Path(file_okay=False, path_type=Path)
_NAMED = 20


@dataclass(frozen=True)
class Reporting:
    """What is to be written, and where.

    ``form`` is None for the students' pages alone; ``page`` is the file for an HTML report besides, ``pages``
    the folder for a page a student.
    """

    form: str | None = "table"
    out: Path | None = None
    page: Path | None = None
    pages: Path | None = None
    hidden: bool = True

    @property
    def parts(self) -> list[Reporting]:
        """What is written one after the other: the students' pages go with the HTML report."""
        if not self.page:
            return [self]
        return [Reporting(self.form, self.out), replace(self, form="html", out=self.page, page=None)]

    def report(self, batch: str, ids: Sequence[str], names: Mapping[str, str]) -> Report:
        """The report on these jobs."""
        on_terminal = self.out is None and sys.stdout.isatty()
        width = shutil.get_terminal_size().columns if on_terminal else WIDTH_OF_FILES
        return Report(batch, ids, width, names, self.pages, self.hidden)


def reporting_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of reports; it takes them as ``reporting``."""

    @click.option("--format", "form", type=click.Choice(FORMATS), default="table", show_default=True)
    @click.option("--out", type=_OUT, help="A file for the results, written whole or not at all.")
    @click.option("--report", "page", type=_OUT, help="Besides, the HTML report into this file.")
    @click.option("--per-student", "pages", type=_FOLDER, help="Besides, a page a student into this folder.")
    @click.option("--without-hidden", is_flag=True, help="An HTML report without what hidden cases hide.")
    @wraps(command)
    def with_reporting(*arguments: Any, **options: Any) -> None:  # noqa: ANN401 - click's
        hidden = not options.pop("without_hidden")
        named = {name: options.pop(name) for name in ("form", "out", "page", "pages")}
        command(*arguments, reporting=_checked(Reporting(**named, hidden=hidden)), **options)

    return with_reporting


def _checked(reporting: Reporting) -> Reporting:
    is_page = reporting.form == "html" or reporting.page
    if not is_page and (reporting.pages or not reporting.hidden):
        raise click.UsageError("--per-student and --without-hidden need --report FILE or --format html.")
    if reporting.form != "html" or reporting.out:
        return reporting
    if reporting.pages:
        return replace(reporting, form=None)
    if sys.stdout.isatty():
        raise click.UsageError("The page is long: give a file for it with --out FILE.")
    return reporting


@click.command(
    "results",
    epilog=examples(
        "jsworker results hw1",
        "jsworker results hw1 --generation 2",
        "jsworker results hw1 --format jsonl --out results.jsonl",
        "jsworker results hw1 --format jsonl | jq -r 'select(.status != \"succeeded\").id'",
        "jsworker results hw1 --format csv --out gradebook.csv",
        "jsworker results hw1 --report report.html --per-student pages/",
    ),
)
@click.argument("batch", callback=batch_name)
@reporting_options
@click.option(
    "--generation", "number", type=click.IntRange(min=1), help="Not what counts, but this generation."
)
def command(batch: str, number: int | None, reporting: Reporting) -> None:
    """Show what came out of a batch, in the order its jobs were submitted.

    Of a batch that was graded again, the results are shown that count (jsworker promote).
    The exit status is 1 while results are missing; those that are there are shown all the same.
    """
    run(_results(batch, number, reporting))


async def report(
    store: Store,
    places: Places,
    ids: Sequence[str],
    reporting: Reporting,
    names: Mapping[str, str] | None = None,
) -> Outcome:
    """Write a batch's results, and name those that are missing on stderr.

    ``names`` are shown for jobs without a result, by id.
    """
    outcome = Outcome()
    for part in reporting.parts:
        writer = part.report(places.batch, ids, names or {}).writer(part.form)
        hidden = part.form == "html" and part.hidden
        with output(part.out) as stream:
            outcome = await write(store, places, ids, writer, stream, hidden=hidden)
    if reporting.page:
        click.echo(f"report: {reporting.page}", err=True)
    if missing := outcome.missing:
        more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
        named = ", ".join(missing[:_NAMED]) + more
        click.echo(f"jsworker: {len(missing)} of {len(ids)} jobs have no result yet: {named}", err=True)
    return outcome


async def _results(batch: str, number: int | None, reporting: Reporting) -> int:
    settings = load(ClientSettings)
    quiet_logs()
    folder = Folder(settings.results_container, batch)
    async with open_client(settings) as client:
        view = await view_of(client.blobs, folder, number)
        names = {entry.id: name_of(entry.id, entry.metadata) for entry in view.entries}
        outcome = await report(client.blobs, view, list(names), reporting, names)
    return UNDONE if outcome.missing else 0


async def view_of(store: Store, folder: Folder, number: int | None) -> View:
    """The results to show; which they are is said unless they are the batch's first."""
    view = await (generation(store, folder, number) if number else counting(store, folder))
    if view.numbers != (1,):
        click.echo(f"jsworker: {folder.batch}: {view.title}", err=True)
    return view
