"""``jsworker grade``."""

from __future__ import annotations

import asyncio
import os
import secrets
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from worker import log
from worker.app import open_client, run_worker
from worker.batch import BatchError, Folder, read_manifest
from worker.cli.layout import layout_of, layout_options
from worker.cli.local import STATE, sessions_by_default
from worker.cli.progress import show
from worker.cli.results import FORMATS, OUT, report
from worker.cli.running import FILE, PATH, SHORT, UNDONE, batch_name, examples, log_to, run
from worker.cli.submit import CASES, Sources, send
from worker.faults import ServiceFault
from worker.local.background import running
from worker.local.config import StackConfig
from worker.local.stack import LocalStack
from worker.settings import PREFIX, WorkerSettings, load
from worker.watching import follow

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from worker.app import Client
    from worker.submission import Candidate


@dataclass(frozen=True)
class Grading:
    """What the command was asked to do."""

    batch: str
    form: str
    out: Path | None
    local: bool
    strict: bool
    max_sessions: int | None
    state: Path
    verbose: bool


@click.command(
    "grade",
    epilog=examples(
        "jsworker grade --local submissions/ --cases cases.json",
        "jsworker grade --local class/ --each folder --student '{student}_*' --cases cases.json",
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
@click.option("--format", "form", type=FORMATS, default="table", show_default=True)
@click.option("--out", type=OUT, help="A file for the results, written whole or not at all.")
@click.option("--local", is_flag=True, help="On the local stack: no account is needed.")
@click.option("--strict", is_flag=True, help="Exit with 3 unless all succeeded and were accepted.")
@click.option("--max-sessions", type=click.IntRange(1, 600), help="How many programs run at a time.")
@STATE
@click.option("--verbose", is_flag=True, help="Log to stderr rather than to a file in the state directory.")
def command(
    paths: tuple[Path, ...],
    lines: Path | None,
    cases: Path | None,
    batch: str | None,
    **options: Any,  # noqa: ANN401 - click's
) -> None:
    """Submit, run, watch and report in one.

    PATHS are programs (*.js, *.mjs, *.cjs), zip archives, or folders of them. Each of them, and each line of
    a manifest that has an id, gets a result, if only that it was rejected and why. Interrupted, it goes on
    when run again with the same --batch.
    """
    sources = Sources(paths, lines, cases, layout_of(options), options.pop("skip_invalid"))
    sources.check()
    run(_grade(Grading(batch=batch or _new_name(), **options), sources))


async def _grade(grading: Grading, sources: Sources) -> int:
    jobs = sources.candidates(grading.batch, keep_invalid=True)
    try:
        async with _settings(grading) as settings, open_client(settings) as client:
            return await _run(grading, settings, client, jobs)
    except (asyncio.CancelledError, ServiceFault, ExceptionGroup):
        click.echo(f"jsworker: stopped; to go on, run it again with --batch {grading.batch}", err=True)
        raise


@asynccontextmanager
async def _settings(grading: Grading) -> AsyncIterator[WorkerSettings]:
    """The settings of the environment, or of the local stack for as long as it is needed."""
    if not grading.local:
        yield _loaded(grading)
    elif (environment := running(grading.state)) is not None:
        os.environ.update(environment)
        yield _loaded(grading)
    else:
        sessions = grading.max_sessions or sessions_by_default()
        config = StackConfig(state_dir=grading.state, max_sessions=sessions)
        async with LocalStack(config) as stack, asyncio.TaskGroup() as group:
            os.environ.update(stack.environment)
            watch = group.create_task(stack.failed())
            yield _loaded(grading)
            watch.cancel()


def _loaded(grading: Grading) -> WorkerSettings:
    if grading.max_sessions:
        os.environ[PREFIX + "MAX_SESSIONS"] = str(grading.max_sessions)
    settings = load(WorkerSettings)
    if grading.verbose:
        log.configure(settings.log_format, settings.log_level)
    else:
        log_to(_log_file(grading))
    return settings


async def _run(grading: Grading, settings: WorkerSettings, client: Client, jobs: Sequence[Candidate]) -> int:
    """Run a worker beside the client until the results are there."""
    folder = Folder(settings.results_container, grading.batch)
    stop = asyncio.Event()
    worker = asyncio.create_task(run_worker(settings, stop=stop))
    complete = asyncio.create_task(_completed(folder, settings, client, jobs))
    try:
        await asyncio.wait((worker, complete), return_when=asyncio.FIRST_COMPLETED)
        if not complete.done():
            raise BatchError(f"the worker ended early: {_why(grading)}") from _exception(worker)
        ids = await complete
        stop.set()
        outcome = await report(client.blobs, folder, ids, grading.form, grading.out)
    finally:
        complete.cancel()
        stop.set()
        await asyncio.gather(worker, complete, return_exceptions=True)
    if outcome.missing:
        return UNDONE
    return SHORT if grading.strict and outcome.short else 0


async def _completed(
    folder: Folder, settings: WorkerSettings, client: Client, jobs: Sequence[Candidate]
) -> list[str]:
    """Submit the jobs and wait for the results of the whole batch; its ids."""
    await send(client.blobs, client.sender, settings, folder.batch, jobs)
    ids = [entry.id for entry in await read_manifest(client.blobs, folder)]
    await show(folder.batch, follow(client.blobs, folder, ids))
    return ids


def _exception(worker: asyncio.Task[int]) -> BaseException | None:
    return None if worker.cancelled() else worker.exception()


def _why(grading: Grading) -> str:
    log_is = "its log is above" if grading.verbose else f"see {_log_file(grading)}"
    return f"{log_is}; to go on, run it again with --batch {grading.batch}"


def _log_file(grading: Grading) -> Path:
    return grading.state / "logs" / f"{grading.batch}.log"


def _new_name() -> str:
    return f"grade-{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
