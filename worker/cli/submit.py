"""``jsworker submit``."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from worker.cli.layout import layout_of, layout_options
from worker.cli.running import FILE, PATH, batch_name, examples, quiet_logs, run
from worker.report.text import printable
from worker.setting_groups import CasesSettings
from worker.settings import ClientSettings, load
from worker.submission import PLAIN, manifest, programs, with_cases
from worker.submitting import submit
from worker.tools import open_client

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from worker.batch import Queue
    from worker.blobs import Blobs
    from worker.candidate import Candidate
    from worker.handed_in import Layout

TOLD = 10
CASES = click.option(
    "--cases",
    type=PATH,
    help="Cases for all jobs that have none of their own: a file (YAML or JSON), or a folder of pairs "
    "name.in and name.out.",
)


@click.command(
    "submit",
    epilog=examples(
        "jsworker submit submissions/ --batch hw1 --cases cases.yaml",
        "jsworker submit class/ --batch hw1 --each folder --student '{student}_*_assignsubmission_file_'",
        "jsworker submit --manifest jobs.jsonl",
        "jsworker submit --manifest jobs.jsonl --batch rerun --skip-invalid",
    ),
)
@click.argument("paths", nargs=-1, type=PATH)
@click.option("--manifest", "lines", type=FILE, help="JSON Lines of jobs, in place of programs.")
@CASES
@click.option("--batch", callback=batch_name, help="The batch; with --manifest it overrides the jobs' own.")
@layout_options
@click.option(
    "--skip-invalid",
    is_flag=True,
    help="Go on without invalid jobs of a manifest and submissions that would be the same job: each gets a "
    "rejection for its result.",
)
def command(
    paths: tuple[Path, ...],
    lines: Path | None,
    cases: Path | None,
    batch: str | None,
    **options: Any,  # noqa: ANN401 - click's
) -> None:
    """Upload programs and put their jobs into the queue.

    PATHS are programs (*.js, *.mjs, *.cjs), zip archives, or folders of them; a job's id comes from the
    name. What cannot be used gets a rejection for its result. Run again after a failure, it goes on where
    it stopped and sends nothing twice.
    """
    sources = Sources(paths, lines, cases, layout_of(options), **options)
    sources.check()
    if paths and not batch:
        raise click.UsageError("--batch is needed: it is the name that watch and results go by.")
    run(_submit(sources, batch))


@dataclass(frozen=True)
class Sources:
    """What jobs are made of: programs or a manifest, and a cases file."""

    paths: Sequence[Path]
    lines: Path | None
    cases: Path | None
    layout: Layout
    skip_invalid: bool

    def check(self) -> None:
        """Programs or a manifest, and not both.

        Raises:
            click.UsageError: it is not so.
        """
        if bool(self.paths) == bool(self.lines):
            raise click.UsageError("Give either programs (files or folders) or --manifest FILE.")
        if self.lines and self.layout != PLAIN:
            raise click.UsageError("--each, --entry and --student say how programs lie: not for --manifest.")

    def candidates(self, batch: str | None, *, keep_invalid: bool) -> list[Candidate]:
        """The jobs to submit, checked; raises ``BatchError``."""
        if self.lines:
            jobs = manifest(self.lines, batch, keep_invalid=keep_invalid)
        else:
            jobs = programs(self.paths, batch or "", self.layout, keep_clashes=self.skip_invalid)
        return with_cases(jobs, self.cases, load(CasesSettings).max_cases_bytes) if self.cases else jobs


async def send(
    store: Blobs, queue: Queue, settings: ClientSettings, batch: str, jobs: Sequence[Candidate]
) -> None:
    """Submit one batch, reject what of it cannot be used, and say what was done."""
    done = await submit(store, queue, settings, batch, jobs)
    before = f" ({done.before} were before)" if done.before else ""
    click.echo(f"{batch}: {done.sent} jobs submitted{before}", err=True)
    _tell(batch, [job for job in jobs if job.problem is not None])


def _tell(batch: str, unusable: Sequence[Candidate]) -> None:
    """How many were rejected, and why the first of them."""
    if not unusable:
        return
    click.echo(f"{batch}: {len(unusable)} cannot be used, and have a rejection for their result:", err=True)
    for job in unusable[:TOLD]:
        click.echo(f"  {printable(f'{job.entry.id}: {job.problem}')}", err=True)
    if len(unusable) > TOLD:
        click.echo(f"  … and {len(unusable) - TOLD} more", err=True)


async def _submit(sources: Sources, batch: str | None) -> int:
    settings = load(ClientSettings)
    quiet_logs()
    batches = defaultdict(list)
    for job in sources.candidates(batch, keep_invalid=sources.skip_invalid):
        batches[job.batch].append(job)
    async with open_client(settings) as client:
        for name, jobs in batches.items():
            await send(client.blobs, client.sender, settings, name, jobs)
            click.echo(f"  next: jsworker watch {name}; jsworker results {name}", err=True)
    return 0
