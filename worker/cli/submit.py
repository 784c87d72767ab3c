"""``jsworker submit``."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from worker.app import open_client
from worker.batch import Folder
from worker.cli.running import FILE, PATH, batch_name, examples, quiet_logs, run
from worker.sending import Submission
from worker.settings import PREFIX, CasesSettings, ClientSettings, SettingsError, load
from worker.shared_cases import INPUTS
from worker.submission import PROGRAMS, manifest, programs, with_cases

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from worker.batch import Queue, Store
    from worker.submission import Candidate


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
        "jsworker submit --manifest jobs.jsonl",
        "jsworker submit --manifest jobs.jsonl --batch rerun --skip-invalid",
    ),
)
@click.argument("paths", nargs=-1, type=PATH)
@click.option("--manifest", "lines", type=FILE, help="JSON Lines of jobs, in place of programs.")
@CASES
@click.option("--batch", callback=batch_name, help="The batch; with --manifest it overrides the jobs' own.")
@click.option(
    "--skip-invalid", is_flag=True, help="Send invalid jobs too: the worker's rejection is their result."
)
def command(
    paths: tuple[Path, ...], lines: Path | None, cases: Path | None, batch: str | None, *, skip_invalid: bool
) -> None:
    """Upload programs and put their jobs into the queue.

    PATHS are programs (*.js, *.mjs, *.cjs) or folders of them; a job's id comes from the file's name. Run
    again after a failure, it goes on where it stopped and sends nothing twice.
    """
    check_sources(paths, lines)
    if paths and not batch:
        raise click.UsageError("--batch is needed: it is the name that watch and results go by.")
    run(_submit(Sources(paths, lines, cases), batch, skip_invalid=skip_invalid))


def check_sources(paths: Sequence[Path], lines: Path | None) -> None:
    """Programs or a manifest, and not both.

    Raises:
        click.UsageError: it is not so.
    """
    if bool(paths) == bool(lines):
        raise click.UsageError("Give either programs (files or folders) or --manifest FILE.")


@dataclass(frozen=True)
class Sources:
    """What jobs are made of: programs or a manifest, and a cases file."""

    paths: Sequence[Path]
    lines: Path | None
    cases: Path | None

    def candidates(self, batch: str | None, *, keep_invalid: bool) -> list[Candidate]:
        """The jobs to submit, checked; raises ``BatchError``."""
        if self.lines:
            jobs = manifest(self.lines, batch, keep_invalid=keep_invalid)
        else:
            jobs = programs(self.paths, batch or "")
        return with_cases(jobs, self.cases, load(CasesSettings).max_cases_bytes) if self.cases else jobs


async def send(
    store: Store, queue: Queue, settings: ClientSettings, batch: str, jobs: Sequence[Candidate]
) -> None:
    """Submit one batch, and say what was done."""
    absent = {PROGRAMS, INPUTS}.difference(settings.code_containers)
    if absent:
        raise SettingsError(f"{PREFIX}CODE_CONTAINERS must name {' and '.join(sorted(absent))} too")
    done = await Submission(store, queue, Folder(settings.results_container, batch)).run(jobs)
    before = f" ({done.before} were before)" if done.before else ""
    click.echo(f"{batch}: {done.sent} jobs submitted{before}", err=True)


async def _submit(sources: Sources, batch: str | None, *, skip_invalid: bool) -> int:
    settings = load(ClientSettings)
    quiet_logs()
    batches = defaultdict(list)
    for job in sources.candidates(batch, keep_invalid=skip_invalid):
        batches[job.batch].append(job)
    async with open_client(settings) as client:
        for name, jobs in batches.items():
            await send(client.blobs, client.sender, settings, name, jobs)
            click.echo(f"  next: jsworker watch {name}; jsworker results {name}", err=True)
    return 0
