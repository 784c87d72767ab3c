"""A batch, seen through a client: how far it is, what came out, its end."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from pydantic import ValidationError

from worker.batch import BatchError, Folder, read_manifest
from worker.calling_off import call_off
from worker.completion import put_on_record
from worker.faults import BlobMissing
from worker.report.reading import MAX_RESULT_BYTES
from worker.result import Result
from worker.views import counting, generation
from worker.watching import follow

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping

    from worker.batch import Store
    from worker.views import View
    from worker.watching import Progress

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


class AsyncBatch:
    """One batch, seen through a client."""

    def __init__(self, store: Callable[[], Store], folder: Folder) -> None:
        self._store, self._folder = store, folder

    @property
    def name(self) -> str:
        """Its name."""
        return self._folder.batch

    async def ids(self) -> list[str]:
        """Its jobs, in the order they were submitted; raises ``BatchError`` if there is no such batch."""
        return [entry.id for entry in await read_manifest(self._store(), self._folder)]

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
        blobs = self._store()
        async with aclosing(follow(blobs, self._folder, await self.ids())) as looks:
            async for progress in looks:
                yield _seen(progress)

    async def wait(self, timeout: float | None = None) -> BatchProgress:  # noqa: ASYNC109 - as asyncio.wait has it
        """Wait until all of its jobs have a result; raises as ``watch`` does.

        Raises:
            TimeoutError: it took longer than ``timeout`` seconds; how far it is, is told. The batch goes on.
        """
        far = "it was not looked at yet"
        try:
            async with asyncio.timeout(timeout), aclosing(self.watch()) as looks:
                async for seen in looks:
                    last, far = seen, f"{seen.done} of its {seen.total} jobs have a result"
        except TimeoutError:
            raise TimeoutError(f"the batch {self.name!r} was not complete after {timeout} s: {far}") from None
        await put_on_record(self._store(), self._folder)
        return last

    async def result(self, job_id: str) -> Result | None:
        """A job's result; None while it has none.

        Raises:
            BatchError: there is no such batch or job.
            ServiceFault: the blobs cannot be reached, or refuse.
        """
        view = await counting(self._store(), self._folder)
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
        blobs = self._store()
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
        return await call_off(self._store(), self._folder, job_id) or []

    async def _read(self, view: View, job_id: str) -> Result | None:
        try:
            content = await self._store().read(view.result(job_id), limit=MAX_RESULT_BYTES)
            return Result.model_validate_json(content.data)
        except BlobMissing:
            return None
        except ValidationError as error:
            raise BatchError(f"{view.result(job_id)} is no result: {error}") from error


def _seen(progress: Progress) -> BatchProgress:
    return BatchProgress(progress.total, progress.done, dict(progress.statuses), dict(progress.verdicts))
