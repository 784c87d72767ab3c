"""The client for programs: submit jobs, follow them, read what came out; ``worker.blocking`` for threads."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Self

from pydantic import ValidationError

from worker.batch import BatchError, Folder, read_manifest
from worker.calling_off import call_off
from worker.completion import complete
from worker.faults import BlobMissing
from worker.job import Job
from worker.names import is_batch_name
from worker.result import Result
from worker.settings import ClientSettings, load
from worker.submission import PLAIN, documents, programs, with_cases
from worker.submitting import submit
from worker.tools import BatchTools, open_client
from worker.views import counting, generation
from worker.watching import follow

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable, Mapping
    from pathlib import Path
    from types import TracebackType

    from azure.core.credentials_async import AsyncTokenCredential

    from worker.handed_in import Layout
    from worker.views import View
    from worker.watching import Progress

MAX_BYTES = 64 << 20
READ_AT_ONCE = 16


@dataclass(frozen=True)
class BatchProgress:
    """How far a batch is at one look.

    Attributes:
        total: its jobs.
        done: how many have a result.
        statuses: how many ended as what.
        verdicts: how many were judged how; jobs without cases have no verdict.
    """

    total: int
    done: int
    statuses: Mapping[str, int]
    verdicts: Mapping[str, int]

    @property
    def is_complete(self) -> bool:
        """Whether all jobs have a result."""
        return self.done == self.total


class AsyncClient:
    """A connection to the queue and the blobs; used as ``async with AsyncClient() as client``.

    Args:
        settings: where they are; from the environment (``JSWORKER_…``) if not given.
        credential: signs in to both in place of ``DefaultAzureCredential``; it is not closed.

    Raises:
        SettingsError: the environment does not say where they are.
    """

    def __init__(
        self, settings: ClientSettings | None = None, credential: AsyncTokenCredential | None = None
    ) -> None:
        self._settings = settings or load(ClientSettings)
        self._credential, self._stack = credential, AsyncExitStack()
        self._opened: BatchTools | None = None

    async def __aenter__(self) -> Self:
        tools = open_client(self._settings, self._credential)
        self._opened = await self._stack.enter_async_context(tools)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._opened = None
        await self._stack.__aexit__(kind, error, trace)

    async def submit(
        self, jobs: Iterable[Job | Mapping[str, Any]], *, batch: str, cases: Path | None = None
    ) -> AsyncBatch:
        """Submit jobs as a batch; done again after a failure, it goes on and sends nothing twice.

        Args:
            jobs: models, or documents as ``jsworker schema job`` describes them; ``batch`` overrides theirs.
            batch: its name. What was submitted to it already must be the same.
            cases: a file or folder of cases, for the jobs that have none.

        Raises:
            BatchError: jobs cannot be used, with a line for each, or the batch has others of the same id.
            ServiceFault: the queue or the blobs cannot be reached, or refuse.
        """
        candidates = documents(map(_document, jobs), batch)
        return await self._submitted(candidates, batch, cases)

    async def submit_programs(
        self, paths: Iterable[Path], *, batch: str, cases: Path | None = None, layout: Layout = PLAIN
    ) -> AsyncBatch:
        """Submit files, archives and folders as ``jsworker submit`` does.

        Submissions that cannot be used have a rejection for their result.

        Raises:
            BatchError: there are none, or names do not fit, or the batch has others of the same id.
            ServiceFault: the queue or the blobs cannot be reached, or refuse.
        """
        candidates = await asyncio.to_thread(programs, list(paths), batch, layout)
        return await self._submitted(candidates, batch, cases)

    def batch(self, name: str) -> AsyncBatch:
        """A batch that was submitted, by whomever.

        Raises:
            ValueError: no batch can have such a name.
        """
        if not is_batch_name(name):
            raise ValueError(f"{name!r} is no name of a batch: letters, digits, '.', '_' and '-', no '..'")
        return AsyncBatch(self, Folder(self._settings.results_container, name))

    async def read(self, blob: str, *, limit: int = MAX_BYTES) -> bytes:
        """What a result refers to as ``blob``: a stream or a collected file.

        Raises:
            BlobMissing: there is none of that name.
            BlobTooLarge: it has more than ``limit`` bytes.
            ServiceFault: the blobs cannot be reached, or refuse.
        """
        return (await self.tools.blobs.read(blob, limit=limit)).data

    @property
    def tools(self) -> BatchTools:
        """The connections.

        Raises:
            RuntimeError: the client is not open.
        """
        if self._opened is None:
            raise RuntimeError("the client is not open: use it in 'async with'")
        return self._opened

    async def _submitted(self, candidates: list[Any], batch: str, cases: Path | None) -> AsyncBatch:
        found = self.batch(batch)
        if cases:
            limit = self._settings.max_cases_bytes
            candidates = await asyncio.to_thread(with_cases, candidates, cases, limit)
        await submit(self.tools.blobs, self.tools.sender, self._settings, batch, candidates)
        return found


class AsyncBatch:
    """One batch, seen through a client."""

    def __init__(self, client: AsyncClient, folder: Folder) -> None:
        self._client, self._folder = client, folder

    @property
    def name(self) -> str:
        """Its name."""
        return self._folder.batch

    async def ids(self) -> list[str]:
        """Its jobs, in the order they were submitted; raises ``BatchError`` if there is no such batch."""
        return [entry.id for entry in await read_manifest(self._client.tools.blobs, self._folder)]

    async def progress(self) -> BatchProgress:
        """One look at how far it is; raises ``BatchError`` if there is no such batch."""
        async with aclosing(self.watch()) as looks:
            return await anext(looks)

    async def watch(self) -> AsyncGenerator[BatchProgress]:
        """How far it is, look by look, until all of its jobs have a result.

        Raises:
            BatchError: there is no such batch.
            ServiceFault: the blobs cannot be reached, or refuse.
        """
        blobs = self._client.tools.blobs
        async with aclosing(follow(blobs, self._folder, await self.ids())) as looks:
            async for progress in looks:
                yield _seen(progress)

    async def wait(self, timeout: float | None = None) -> BatchProgress:  # noqa: ASYNC109 - as asyncio.wait has it
        """Wait until all of its jobs have a result; raises as ``watch`` does.

        Raises:
            TimeoutError: it took longer than ``timeout`` seconds; the batch goes on.
        """
        async with asyncio.timeout(timeout), aclosing(self.watch()) as looks:
            async for seen in looks:
                last = seen
        await complete(self._client.tools.blobs, self._folder)
        return last

    async def result(self, job_id: str) -> Result | None:
        """A job's result; None while it has none.

        Raises:
            BatchError: there is no such batch or job.
            ServiceFault: the blobs cannot be reached, or refuse.
        """
        view = await counting(self._client.tools.blobs, self._folder)
        if job_id not in view.places:
            raise BatchError(f"the batch {self.name!r} has no job {job_id!r}: check the name")
        return await self._read(view, job_id)

    async def results(self, *, number: int | None = None) -> AsyncGenerator[Result]:
        """The results that there are, in the order the jobs were submitted, a few at a time in memory.

        Args:
            number: a generation, for a batch that was graded again; by default those that count.

        Raises:
            BatchError: there is no such batch or generation.
            ServiceFault: the blobs cannot be reached, or refuse.
        """
        blobs = self._client.tools.blobs
        looking = counting(blobs, self._folder) if number is None else generation(blobs, self._folder, number)
        view = await looking
        ids = iter(view.places)
        while chunk := list(islice(ids, READ_AT_ONCE)):
            for result in await asyncio.gather(*(self._read(view, job_id) for job_id in chunk)):
                if result is not None:
                    yield result

    async def cancel(self, job_id: str | None = None) -> list[str]:
        """End it, or one of its jobs: what waits is not run, what runs is stopped.

        Returns:
            The ids of the jobs that had no result yet; each ends as ``cancelled``.

        Raises:
            BatchError: there is no such batch or job.
            ServiceFault: the blobs cannot be reached, or refuse.
        """
        return await call_off(self._client.tools.blobs, self._folder, job_id) or []

    async def _read(self, view: View, job_id: str) -> Result | None:
        try:
            return Result.model_validate_json(await self._client.read(view.result(job_id)))
        except BlobMissing:
            return None
        except ValidationError as error:
            raise BatchError(f"{view.result(job_id)} is no result: {error}") from error


def _document(job: Job | Mapping[str, Any]) -> Mapping[str, Any]:
    return job.model_dump(mode="json", exclude_unset=True) if isinstance(job, Job) else job


def _seen(progress: Progress) -> BatchProgress:
    return BatchProgress(progress.total, progress.done, dict(progress.statuses), dict(progress.verdicts))
