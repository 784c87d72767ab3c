"""Submissions that cannot be used get their results at once: there is nothing for a worker to run."""

from __future__ import annotations

import asyncio
import secrets
import socket
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from worker.parcels import Record, leave
from worker.records import recorded_ids
from worker.result import Error, Producer, Result
from worker.version import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence

    from worker.batch import Folder, Store
    from worker.candidate import Candidate
    from worker.committing import Committer

CODE = "invalid_submission"
TOGETHER = 8


class Rejections:
    """Commits the results of a batch's unusable submissions, which stand in its manifest already."""

    def __init__(self, store: Store, folder: Folder, committer: Committer) -> None:
        self._store, self._folder, self._committer = store, folder, committer
        self._turns = asyncio.Semaphore(TOGETHER)

    async def record(self, unusable: Sequence[Candidate]) -> None:
        """See to it that each has a result and a progress line; may be run again after a crash at any point.

        A result that stands already stays, whatever it says.
        """
        if not unusable:
            return
        told = await recorded_ids(self._store, self._folder, self._folder.progress_prefix)
        async with asyncio.TaskGroup() as group:
            for one in unusable:
                if one.entry.id not in told:
                    group.create_task(self._record(one))

    async def _record(self, one: Candidate) -> None:
        async with self._turns:
            if not await self._committer.confirm(one.batch, one.entry.id):
                attempt = f"rejected-{secrets.token_hex(6)}"
                await leave(self._store, self._folder.container, Record(one.batch, one.entry.id, attempt))
                await self._committer.commit(rejection(one), attempt)


def rejection(one: Candidate) -> Result:
    """The result of a submission that cannot be used."""
    now = datetime.now(UTC)
    return Result(
        id=one.entry.id,
        batch=one.batch,
        status="rejected",
        error=Error(code=CODE, message=one.problem or ""),
        worker=Producer(version=__version__, instance=socket.gethostname()),
        started_at=now,
        finished_at=now,
        metadata=one.entry.metadata,
    )
