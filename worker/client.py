"""The client for programs: submit jobs, follow them, read what came out; ``worker.blocking`` for threads."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from worker.batch import Folder
from worker.client_batch import AsyncBatch
from worker.job import Job
from worker.names import check_blob, is_batch_name
from worker.settings import ClientSettings, load
from worker.submission import PLAIN, documents, programs, with_cases
from worker.submitting import submit
from worker.tools import BatchTools, open_client

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

    from azure.core.credentials_async import AsyncTokenCredential

    from worker.handed_in import Layout

MAX_BYTES = 64 << 20


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
        self, jobs: Iterable[Job | Mapping[str, Any]], *, batch: str, cases: Path | str | None = None
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
        self,
        paths: Iterable[Path | str],
        *,
        batch: str,
        cases: Path | str | None = None,
        layout: Layout = PLAIN,
    ) -> AsyncBatch:
        """Submit files, archives and folders as ``jsworker submit`` does.

        Submissions that cannot be used have a rejection for their result.

        Raises:
            BatchError: there are none, or names do not fit, or the batch has others of the same id.
            ServiceFault: the queue or the blobs cannot be reached, or refuse.
        """
        candidates = await asyncio.to_thread(programs, several(paths), batch, layout)
        return await self._submitted(candidates, batch, cases)

    def batch(self, name: str) -> AsyncBatch:
        """A batch that was submitted, by whomever.

        Raises:
            ValueError: no batch can have such a name.
        """
        if not is_batch_name(name):
            raise ValueError(f"{name!r} is no name of a batch: letters, digits, '.', '_' and '-', no '..'")
        return AsyncBatch(lambda: self.tools.blobs, Folder(self._settings.results_container, name))

    async def read(self, blob: str, *, limit: int = MAX_BYTES) -> bytes:
        """What a result refers to as ``blob``: a stream or a collected file.

        Raises:
            ValueError: it is no name of a blob.
            BlobMissing: there is none of that name.
            BlobTooLarge: it has more than ``limit`` bytes.
            ServiceFault: the blobs cannot be reached, or refuse.
        """
        try:
            name = check_blob(blob)
        except ValueError as error:
            raise ValueError(f"{blob!r} is no name of a blob: it {error}") from None
        return (await self.tools.blobs.read(name, limit=limit)).data

    @property
    def tools(self) -> BatchTools:
        """The connections.

        Raises:
            RuntimeError: the client is not open.
        """
        if self._opened is None:
            raise RuntimeError("the client is not open: use it in 'async with'")
        return self._opened

    async def _submitted(self, candidates: list[Any], batch: str, cases: Path | str | None) -> AsyncBatch:
        found = self.batch(batch)
        if cases:
            limit = self._settings.max_cases_bytes
            candidates = await asyncio.to_thread(with_cases, candidates, Path(cases), limit)
        await submit(self.tools.blobs, self.tools.sender, self._settings, batch, candidates)
        return found


def several(paths: Iterable[Path | str]) -> list[Path]:
    """The paths; a text is one as well, and none of its letters.

    Raises:
        TypeError: it is one path.
    """
    if isinstance(paths, str | Path):
        raise TypeError(f"submit_programs takes not one path but several: [{str(paths)!r}]")
    return [Path(path) for path in paths]


def _document(job: Job | Mapping[str, Any]) -> Mapping[str, Any]:
    """What is no job at all stays what it is, and is told with the others that cannot be used."""
    if isinstance(job, Job):
        return job.model_dump(mode="json", exclude_unset=True)
    return {"version": 1, **job} if isinstance(job, Mapping) else job
