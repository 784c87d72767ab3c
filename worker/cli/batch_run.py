"""A batch from its submission to its results, with a worker beside the client."""

from __future__ import annotations

import asyncio
import atexit
import os
import secrets
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import click

from worker import log
from worker.app import run_worker
from worker.batch import BatchError, Folder, read_manifest
from worker.cli.progress import show_complete
from worker.cli.running import Failure, log_to
from worker.cli.stack import ABSENT, is_there, sessions_by_default
from worker.cli.submit import send
from worker.setting_groups import PREFIX
from worker.settings import WorkerSettings, load
from worker.tools import open_client

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
    from pathlib import Path

    from worker.candidate import Candidate
    from worker.tools import BatchTools

T = TypeVar("T")
LOCAL = click.option("--local", is_flag=True, help="On the local stack: no account is needed.")
MAX_SESSIONS = click.option(
    "--max-sessions", type=click.IntRange(1, 600), help="How many programs run at a time."
)
VERBOSE = click.option(
    "--verbose", is_flag=True, help="Log to stderr rather than to a file in the state directory."
)


@dataclass(frozen=True)
class BatchRun:
    """Which batch is run, and on what."""

    batch: str
    local: bool
    max_sessions: int | None
    state: Path
    verbose: bool
    again: str = "run it again"  # what to do when it has ended early

    @property
    def log_file(self) -> Path:
        """Where the worker logs to, unless it logs to stderr."""
        return self.state / "logs" / f"{self.batch}.log"


@dataclass(frozen=True)
class Services:
    """What a batch is run with."""

    client: BatchTools
    settings: WorkerSettings
    folder: Folder


def new_name(kind: str) -> str:
    """A name for a batch that no other has."""
    return f"{kind}-{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


@asynccontextmanager
async def beside_worker(
    run: BatchRun, work: Callable[[Services], Coroutine[Any, Any, T]]
) -> AsyncIterator[tuple[Services, T]]:
    """Do some work with a worker beside it that ends when the work is done; the services stay for the block.

    Raises:
        BatchError: the worker ended before the work was done.
    """
    async with _settings(run) as settings, open_client(settings) as client:
        services = Services(client, settings, Folder(settings.results_container, run.batch))
        stop = asyncio.Event()
        told = _told(run)
        worker = asyncio.create_task(run_worker(settings, stop=stop, on_served=told))
        done = asyncio.create_task(work(services))
        try:
            await asyncio.wait((worker, done), return_when=asyncio.FIRST_COMPLETED)
            if not done.done():
                raise BatchError(f"the worker ended early: {_why(run)}") from _exception(worker)
            result = await done
            stop.set()
            yield services, result
        finally:
            done.cancel()
            stop.set()
            await asyncio.gather(worker, done, return_exceptions=True)


async def completed(services: Services, jobs: Sequence[Candidate]) -> list[str]:
    """Submit the jobs and wait for the results of the whole batch; its ids."""
    client, folder = services.client, services.folder
    await send(client.blobs, client.sender, services.settings, folder.batch, jobs)
    ids = [entry.id for entry in await read_manifest(client.blobs, folder)]
    await show_complete(client.blobs, folder, ids)
    return ids


@asynccontextmanager
async def _settings(run: BatchRun) -> AsyncIterator[WorkerSettings]:
    """The settings of the environment, or of the local stack for as long as it is needed."""
    if not run.local:
        yield _loaded(run)
    elif not is_there():
        raise Failure(ABSENT)
    else:
        async with _local_settings(run) as settings:
            yield settings


def _told(run: BatchRun) -> Callable[[int], None] | None:
    """Who hears of the port of the worker, so that it can be looked at."""
    if not run.local:
        return None
    from worker.local.workers import tell_of, withdraw  # noqa: PLC0415 - may not be there

    atexit.register(withdraw, run.state)
    return partial(tell_of, run.state)


@asynccontextmanager
async def _local_settings(run: BatchRun) -> AsyncIterator[WorkerSettings]:
    from worker.local.background import running  # noqa: PLC0415 - may not be there
    from worker.local.config import StackConfig  # noqa: PLC0415 - as above
    from worker.local.stack import LocalStack  # noqa: PLC0415 - as above

    if (environment := running(run.state)) is not None:
        os.environ.update(environment)
        yield _loaded(run)
    else:
        config = StackConfig(state_dir=run.state, max_sessions=run.max_sessions or sessions_by_default())
        async with LocalStack(config) as stack, asyncio.TaskGroup() as group:
            os.environ.update(stack.environment)
            watch = group.create_task(stack.failed())
            yield _loaded(run)
            watch.cancel()


def _loaded(run: BatchRun) -> WorkerSettings:
    if run.max_sessions:
        os.environ[PREFIX + "MAX_SESSIONS"] = str(run.max_sessions)
    settings = load(WorkerSettings)
    if run.verbose:
        log.configure(settings.log_format, settings.log_level)
    else:
        log_to(run.log_file)
    return settings


def _exception(worker: asyncio.Task[int]) -> BaseException | None:
    return None if worker.cancelled() else worker.exception()


def _why(run: BatchRun) -> str:
    log_is = "its log is above" if run.verbose else f"see {run.log_file}"
    return f"{log_is}; to go on, {run.again}"
