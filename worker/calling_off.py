"""Cancelling a batch or a job from outside: what is known of it, and the marker that workers look for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from worker.batch import BatchError, read_manifest
from worker.cancelling import mark, marker
from worker.reconciling import results_of

if TYPE_CHECKING:
    from worker.batch import Folder, Store


async def call_off(
    store: Store, folder: Folder, job_id: str | None = None, *, force: bool = False
) -> list[str] | None:
    """Mark a batch or a job; the ids of its jobs that have no result yet, None if nobody knows its jobs.

    Raises:
        BatchError: there is no such batch or job, and none was to be forced.
    """
    ids = await _known(store, folder, job_id, force=force)
    await mark(store, marker(folder.container, folder.batch, job_id))
    if ids is None:
        return None
    having = {name async for name in results_of(store, folder)}
    return [name for name in ids if name not in having]


async def _known(store: Store, folder: Folder, job_id: str | None, *, force: bool) -> list[str] | None:
    try:
        ids = [entry.id for entry in await read_manifest(store, folder)]
    except BatchError as error:
        if not force:
            raise BatchError(f"{error} (jobs that come from elsewhere: --force)") from None
        return [job_id] if job_id else None
    if job_id is None:
        return ids
    if job_id not in ids and not force:
        raise BatchError(
            f"the batch {folder.batch!r} has no job {job_id!r}: check the name "
            "(jobs that come from elsewhere: --force)"
        )
    return [job_id]
