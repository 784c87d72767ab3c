"""``jsworker regrade``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from worker.batch import Folder, read_manifest
from worker.cli.diff import report_unstable
from worker.cli.progress import show_complete
from worker.cli.running import PATH, SHORT, batch_name, examples, output, quiet_logs, run
from worker.fitting import INPUTS
from worker.regrading import Regrade, Request
from worker.setting_groups import PREFIX
from worker.settings import ClientSettings, SettingsError, load
from worker.shared_cases import shared_cases
from worker.tools import open_client

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from worker.generations import Generation, Only
    from worker.shared_cases import SharedCases
    from worker.tools import BatchTools

REPEAT = click.option(
    "--repeat", type=click.IntRange(2, 50), help="Run so many times, and name what was not graded alike."
)


@dataclass(frozen=True)
class _Asked:
    """What the command was asked to do."""

    folder: Folder
    request: Request
    strict: bool


@click.command(
    "regrade",
    epilog=examples(
        "jsworker regrade hw1 --cases cases-2.yaml",
        "jsworker regrade hw1 --cases cases-2.yaml --only changed",
        "jsworker regrade hw1 --only failed --repeat 5 --strict",
        "jsworker regrade hw1 --only s0042,s0043",
    ),
)
@click.argument("batch", callback=batch_name)
@click.option("--cases", type=PATH, help="Cases for all jobs that have no cases of their own.")
@click.option(
    "--only", multiple=True, metavar="failed|changed|ID,ID…", help="Not all jobs, but these. Repeatable."
)
@REPEAT
@click.option("--strict", is_flag=True, help="With --repeat: exit with 3 if something was not graded alike.")
def command(
    batch: str, cases: Path | None, only: tuple[str, ...], repeat: int | None, *, strict: bool
) -> None:
    """Run a batch's jobs again as a new generation, with results of its own.

    Nothing of the batch changes, and no result counts before it is promoted. Programs, inputs and limits are
    those that were submitted. "failed" are the jobs that were not accepted, "changed" those whose cases
    are not the ones they were graded with. Run again after an interruption, it goes on and sends nothing
    twice.
    """
    if strict and not repeat:
        raise click.UsageError("--strict is for --repeat: a single run cannot be unstable.")
    wanted = meant(only)
    if wanted == "changed" and not cases:
        raise click.UsageError("--only changed needs --cases: without it no job's cases change.")
    run(_regrade(batch, cases, wanted, repeat or 1, strict=strict))


def meant(only: Sequence[str]) -> Only:
    """What ``--only`` says, given once or several times.

    Raises:
        click.UsageError: nothing, or a word beside ids.
    """
    names = sorted({name.strip() for text in only for name in text.split(",")})
    if not names:
        return None
    if names == ["failed"]:
        return "failed"
    if names == ["changed"]:
        return "changed"
    if "" in names or {"failed", "changed"} & set(names):
        raise click.UsageError("--only takes failed, or changed, or ids with commas between them.")
    return tuple(names)


async def _regrade(batch: str, cases: Path | None, only: Only, runs: int, *, strict: bool) -> int:
    settings = load(ClientSettings)
    quiet_logs()
    request = Request(_loaded(cases, settings), only, runs)
    asked = _Asked(Folder(settings.results_container, batch), request, strict)
    async with open_client(settings) as client:
        series = await send(client, asked.folder, request)
        if not series:
            click.echo(f"{batch}: {_nothing(only)}", err=True)
            return 0
        if runs == 1:
            _advise(batch, series[0])
            return 0
        return await _compared(client, asked, series)


async def send(
    client: BatchTools, folder: Folder, request: Request, *, anew: bool = True
) -> list[Generation]:
    """Send what is asked for, saying each generation."""
    regrade = Regrade(client.blobs, client.sender, folder, request)
    return await regrade.run(
        lambda each: click.echo(f"{each.batch}: generation {each.number}, {each.jobs} jobs", err=True),
        anew=anew,
    )


async def follow_all(client: BatchTools, folder: Folder, series: Sequence[Generation]) -> None:
    """Wait until all generations are complete."""
    for each in series:
        of_run = Folder(folder.container, each.batch)
        ids = [entry.id for entry in await read_manifest(client.blobs, of_run)]
        await show_complete(client.blobs, of_run, ids)


async def _compared(client: BatchTools, asked: _Asked, series: Sequence[Generation]) -> int:
    numbers = [each.number for each in series]
    command = f"jsworker diff {asked.folder.batch} {' '.join(map(str, numbers))}"
    click.echo(f"  the runs go on if you stop this; what varies is shown then by: {command}", err=True)
    await follow_all(client, asked.folder, series)
    with output(None) as out:
        varying = await report_unstable(client.blobs, asked.folder, numbers, out)
    return SHORT if asked.strict and varying else 0


def _loaded(cases: Path | None, settings: ClientSettings) -> SharedCases | None:
    if cases is None:
        return None
    if INPUTS not in settings.code_containers:
        raise SettingsError(f"{PREFIX}CODE_CONTAINERS must name {INPUTS} too")
    return shared_cases(cases, settings.max_cases_bytes)


def _nothing(only: Only) -> str:
    if only == "failed":
        return "all that has a result was accepted; there is nothing to run again"
    if only == "changed":
        return "no job's cases change; there is nothing to run again"
    return "none of these was ever sent, since they were rejected before; there is nothing to run again"


def _advise(batch: str, begun: Generation) -> None:
    click.echo(
        f"  next: jsworker watch {begun.batch}; jsworker diff {batch} {begun.number}; "
        f"jsworker promote {batch} {begun.number}",
        err=True,
    )
