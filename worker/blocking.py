"""The client for programs without asyncio: the same as ``worker.client``, on an event loop in a thread."""

from __future__ import annotations

from contextlib import ExitStack, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Self, TypeVar

from anyio.from_thread import BlockingPortal, start_blocking_portal

from worker.client import MAX_BYTES, AsyncClient, several
from worker.submission import PLAIN

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterable, Mapping
    from pathlib import Path
    from types import TracebackType

    from azure.core.credentials_async import AsyncTokenCredential

    from worker.client_batch import AsyncBatch, BatchProgress
    from worker.handed_in import Layout
    from worker.job import Job
    from worker.result import Result
    from worker.settings import ClientSettings

T = TypeVar("T")


class Client:
    """A connection to the queue and the blobs; used as ``with Client() as client``.

    Its methods wait for what those of ``AsyncClient`` return, and raise what those raise.
    """

    def __init__(
        self, settings: ClientSettings | None = None, credential: AsyncTokenCredential | None = None
    ) -> None:
        self._client, self._stack = AsyncClient(settings, credential), ExitStack()
        self._portal: BlockingPortal | None = None

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            portal = stack.enter_context(start_blocking_portal(name="jsworker"))
            stack.enter_context(portal.wrap_async_context_manager(self._client))
            self._portal, self._stack = portal, stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._portal = None
        self._stack.__exit__(kind, error, trace)

    def submit(
        self, jobs: Iterable[Job | Mapping[str, Any]], *, batch: str, cases: Path | str | None = None
    ) -> Batch:
        """Submit jobs as a batch; see ``AsyncClient.submit``."""
        submitting = partial(self._client.submit, list(jobs), batch=batch, cases=cases)
        return Batch(self, self.call(submitting))

    def submit_programs(
        self,
        paths: Iterable[Path | str],
        *,
        batch: str,
        cases: Path | str | None = None,
        layout: Layout = PLAIN,
    ) -> Batch:
        """Submit files, archives and folders; see ``AsyncClient.submit_programs``."""
        programs = self._client.submit_programs
        submitting = partial(programs, several(paths), batch=batch, cases=cases, layout=layout)
        return Batch(self, self.call(submitting))

    def batch(self, name: str) -> Batch:
        """A batch that was submitted, by whomever; see ``AsyncClient.batch``."""
        return Batch(self, self.portal.call(self._client.batch, name))

    def read(self, blob: str, *, limit: int = MAX_BYTES) -> bytes:
        """What a result refers to as ``blob``; see ``AsyncClient.read``."""
        return self.call(partial(self._client.read, blob, limit=limit))

    def call(self, function: Callable[..., Awaitable[T]], *arguments: Any) -> T:  # noqa: ANN401 - the function's
        """What the function returns; who is interrupted meanwhile, as by Ctrl-C, leaves nothing running."""
        future = self.portal.start_task_soon(function, *arguments)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    @property
    def portal(self) -> BlockingPortal:
        """The way into the thread of the event loop.

        Raises:
            RuntimeError: the client is not open.
        """
        if self._portal is None:
            raise RuntimeError("the client is not open: use it in 'with'")
        return self._portal


class Batch:
    """One batch, seen through a client; its methods are those of ``AsyncBatch``."""

    def __init__(self, client: Client, batch: AsyncBatch) -> None:
        self._client, self._batch = client, batch

    @property
    def name(self) -> str:
        """Its name."""
        return self._batch.name

    def ids(self) -> list[str]:
        """Its jobs, in the order they were submitted."""
        return self._client.call(self._batch.ids)

    def progress(self) -> BatchProgress:
        """One look at how far it is."""
        return self._client.call(self._batch.progress)

    def watch(self) -> Generator[BatchProgress]:
        """How far it is, look by look, until all of its jobs have a result."""
        return self._each(self._batch.watch())

    def wait(self, timeout: float | None = None) -> BatchProgress:
        """Wait until all of its jobs have a result; raises ``TimeoutError`` after so many seconds."""
        return self._client.call(self._batch.wait, timeout)

    def result(self, job_id: str) -> Result | None:
        """A job's result; None while it has none."""
        return self._client.call(self._batch.result, job_id)

    def results(self, *, number: int | None = None) -> Generator[Result]:
        """The results that there are, in the order the jobs were submitted."""
        return self._each(self._batch.results(number=number))

    def cancel(self, job_id: str | None = None) -> list[str]:
        """End it, or one of its jobs; the ids of those that had no result yet."""
        return self._client.call(self._batch.cancel, job_id)

    def _each(self, values: AsyncGenerator[T]) -> Generator[T]:
        async def following() -> tuple[T] | None:
            try:
                return (await anext(values),)
            except StopAsyncIteration:
                return None

        try:
            while found := self._client.call(following):
                yield found[0]
        finally:  # whoever looks no further may do so when the client is closed, which ends it as well
            with suppress(RuntimeError):
                self._client.call(values.aclose)
