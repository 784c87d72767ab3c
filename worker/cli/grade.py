"""``jsworker grade``."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any

import click

from worker.cli.batch_run import LOCAL, MAX_SESSIONS, VERBOSE, BatchRun, beside_worker, completed, new_name
from worker.cli.diff import report_unstable
from worker.cli.layout import layout_of, layout_options
from worker.cli.regrade import REPEAT, follow_all
from worker.cli.regrade import send as regrade
from worker.cli.results import report, reporting_options
from worker.cli.running import FILE, PATH, SHORT, UNDONE, batch_name, examples, run
from worker.cli.stack import STATE
from worker.cli.submit import CASES, Sources
from worker.faults import ServiceFault
from worker.regrading import Request

if TYPE_CHECKING:
    from pathlib import Path

    from worker.cli.batch_run import Services
    from worker.cli.results import Reporting


@click.command(
    "grade",
    epilog=examples(
        "jsworker grade --local submissions/ --cases cases.yaml --report report.html",
        "jsworker grade --local class/ --each folder --student '{student}_*' --cases cases.yaml",
        "jsworker grade --local --manifest jobs.jsonl --format jsonl --out results.jsonl",
        "jsworker grade submissions/ --batch hw1     # on Azure; again with the same batch: goes on",
    ),
)
@click.argument("paths", nargs=-1, type=PATH)
@click.option("--manifest", "lines", type=FILE, help="JSON Lines of jobs, in place of programs.")
@CASES
@layout_options
@click.option(
    "--skip-invalid",
    is_flag=True,
    help="Go on without submissions that would be the same job: they get a rejection for their result.",
)
@click.option("--batch", callback=batch_name, help="Go on with this batch, or begin it; new by default.")
@reporting_options
@LOCAL
@click.option("--strict", is_flag=True, help="Exit with 3 unless all succeeded and were accepted.")
@REPEAT
@MAX_SESSIONS
@STATE
@VERBOSE
def command(  # noqa: PLR0913 - the options
    paths: tuple[Path, ...],
    lines: Path | None,
    *,
    cases: Path | None,
    batch: str | None,
    reporting: Reporting,
    strict: bool,
    repeat: int | None,
    **options: Any,  # noqa: ANN401 - those of BatchRun
) -> None:
    """Submit, run, watch and report in one.

    PATHS are programs (*.js, *.mjs, *.cjs), zip archives, or folders of them. Each of them, and each line of
    a manifest that has an id, gets a result, if only that it was rejected and why. Interrupted, it goes on
    when run again with the same --batch.
    """
    sources = Sources(paths, lines, cases, layout_of(options), options.pop("skip_invalid"))
    sources.check()
    name = batch or new_name("grade")
    batch_run = BatchRun(batch=name, again=f"run it again with --batch {name}", **options)
    run(_grade(batch_run, sources, reporting, repeat, strict=strict))


async def _grade(
    run: BatchRun, sources: Sources, reporting: Reporting, repeat: int | None, *, strict: bool
) -> int:
    jobs = sources.candidates(run.batch, keep_invalid=True)

    async def work(services: Services) -> tuple[list[str], list[int]]:
        ids = await completed(services, jobs)
        return ids, await _repeated(repeat, services) if repeat else []

    try:
        async with beside_worker(run, work) as (services, (ids, runs)):
            blobs, folder = services.client.blobs, services.folder
            outcome = await report(blobs, folder, ids, reporting)
            varying = await report_unstable(blobs, folder, runs, sys.stderr) if runs else 0
    except (asyncio.CancelledError, ServiceFault, ExceptionGroup):
        click.echo(f"jsworker: stopped; to go on, {run.again}", err=True)
        raise
    if outcome.missing:
        return UNDONE
    return SHORT if strict and (outcome.short or varying) else 0


async def _repeated(runs: int, services: Services) -> list[int]:
    """The generations of all runs; those after the first are begun once, however often the command is run."""
    series = await regrade(services.client, services.folder, Request(runs=runs - 1), anew=False)
    await follow_all(services.client, services.folder, series)
    return [1, *(each.number for each in series)]
