"""Whose results of a batch are read: those of one generation, or those that count, job by job."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from worker.batch import BatchError, read_manifest
from worker.generations import generation_folder, read_generations

if TYPE_CHECKING:
    from collections.abc import Mapping

    from worker.batch import Entry, Folder, Store


@dataclass(frozen=True)
class View:
    """The results of a batch as they are read: of one generation, or those that count.

    Attributes:
        folder: the batch.
        numbers: of the generations that are read; a job's result is that of the first which has it.
        entries: the jobs, in the order they were submitted.
        places: for each id, where its result is.
    """

    folder: Folder
    numbers: tuple[int, ...]
    entries: tuple[Entry, ...]
    places: Mapping[str, Folder]

    @property
    def batch(self) -> str:
        """The name of the batch."""
        return self.folder.batch

    @property
    def title(self) -> str:
        """The generations in words."""
        first, *others = map(str, self.numbers)
        return f"generation {first}" + (f" (where it has none, {', then '.join(others)})" if others else "")

    def result(self, job_id: str) -> str:
        """A job's commit, as ``container/name``."""
        return self.places[job_id].result(job_id)


async def counting(store: Store, folder: Folder, numbers: tuple[int, ...] | None = None) -> View:
    """The results that count, job by job; with numbers, those that would if these generations counted.

    Raises:
        BatchError: there is no such batch.
    """
    entries = await read_manifest(store, folder)
    numbers = numbers or (await read_generations(store, folder)).counted
    places = {entry.id: folder for entry in entries}
    for number in (number for number in reversed(numbers) if number != 1):
        of_number = generation_folder(folder, number)
        ids = {entry.id for entry in await read_manifest(store, of_number)}
        places |= {job_id: of_number for job_id in places if job_id in ids}
    used = set(places.values())
    of_use = tuple(number for number in numbers if generation_folder(folder, number) in used)
    return View(folder, of_use, tuple(entries), places)


async def generation(store: Store, folder: Folder, number: int) -> View:
    """The results of one generation, which may have some of the batch's jobs only.

    Raises:
        BatchError: there is no such batch or generation.
    """
    await read_manifest(store, folder)
    (await read_generations(store, folder)).find(number)
    of_number = generation_folder(folder, number)
    try:
        entries = await read_manifest(store, of_number)
    except BatchError:
        raise BatchError(
            f"generation {number} of {folder.batch!r} was begun and has no jobs yet: run that jsworker "
            "regrade again"
        ) from None
    return View(of_number, (number,), tuple(entries), {entry.id: of_number for entry in entries})
