"""What ``jsworker top`` looks at besides a worker: how full queues are, and the pool of a local stack."""

from __future__ import annotations

import asyncio
import os
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

from worker.administration import open_administration
from worker.cli.looking import Queue, Stack
from worker.cli.running import Failure
from worker.faults import ConfigurationFault, ExecutionLost, ServiceFault
from worker.sessions import open_sessions
from worker.setting_groups import PREFIX
from worker.settings import ClientSettings, SettingsError, WorkerSettings, load
from worker.tools import credential_for

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence
    from pathlib import Path

    from worker.administration import Administration
    from worker.sessions import SessionPool

PATIENCE_SECONDS = 5.0
LOCAL_SECONDS, CONFIGURED_SECONDS = 2.0, 10.0  # between two looks: Azure bounds how often it may be asked


class Surroundings:
    """Asks services for their counts; one that does not answer costs the others nothing.

    Attributes:
        seconds: how long to wait between two looks, at least.
    """

    def __init__(
        self,
        administration: Administration,
        queues: Sequence[str],
        seconds: float,
        pool: SessionPool | None = None,
        max_sessions: int = 0,
    ) -> None:
        self._administration, self._queues, self.seconds = administration, queues, seconds
        self._pool, self._max_sessions = pool, max_sessions
        self._refused: dict[str, str] = {}

    async def look(self) -> Stack:
        """All counts as of now."""
        answers = await asyncio.gather(self._sessions(), *(self._queue(name) for name in self._queues))
        sessions, *queues = answers
        return Stack(
            queues=tuple(queue for queue in queues if isinstance(queue, Queue)),
            sessions=sessions if isinstance(sessions, int) else None,
            max_sessions=self._max_sessions,
            troubles=tuple(dict.fromkeys(answer for answer in answers if isinstance(answer, str))),
        )

    async def _queue(self, name: str) -> Queue | str:
        if name in self._refused:
            return self._refused[name]
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                counts = await self._administration.queue_counts(name)
        except ConfigurationFault as fault:
            return self._refused.setdefault(name, str(fault))  # another try would be answered the same
        except (ServiceFault, TimeoutError) as error:
            return str(error) or f"the counts of {name!r} did not come"
        return Queue(name, counts.active, counts.scheduled, counts.dead_lettered)

    async def _sessions(self) -> int | str | None:
        if self._pool is None:
            return None
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                return len(await self._pool.identifiers(0))
        except (ServiceFault, ExecutionLost, TimeoutError) as error:
            return str(error) or "the session pool does not answer"


@asynccontextmanager
async def open_local(state: Path) -> AsyncIterator[Surroundings]:
    """The queues and the pool of the local stack that runs on this directory.

    Raises:
        Failure: none does.
    """
    from worker.local.background import running  # noqa: PLC0415 - may not be there

    environment = running(state)
    if environment is None:
        raise Failure(f"no local stack is running in {state}: start it with `jsworker local up`")
    os.environ.update(environment)
    settings = load(WorkerSettings)
    async with open_administration(settings, None) as administration, open_sessions(settings, None) as pool:
        yield Surroundings(administration, _names(settings), LOCAL_SECONDS, pool, settings.max_sessions)


@asynccontextmanager
async def open_configured(environ: Mapping[str, str]) -> AsyncIterator[Surroundings | None]:
    """The queues of the settings; None where there are none to use."""
    if not any(
        environ.get(PREFIX + name) for name in ("SERVICEBUS_NAMESPACE", "SERVICEBUS_CONNECTION_STRING")
    ):
        yield None
        return
    async with AsyncExitStack() as stack:
        try:
            settings = load(ClientSettings)
        except SettingsError:
            yield None
            return
        credential = await credential_for(settings, stack)
        administration = await stack.enter_async_context(open_administration(settings, credential))
        yield Surroundings(administration, _names(settings), CONFIGURED_SECONDS)


def _names(settings: ClientSettings) -> list[str]:
    """The queues of jobs, and that of webhooks if any may be called."""
    return [*settings.queue_names, *([settings.webhooks_queue] if settings.webhook_hosts else [])]
