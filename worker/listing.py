"""The batches of a results container, and how far each is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Literal, Protocol

from worker.batch import BatchError, Folder, Store, read_manifest
from worker.cancelling import MARKERS
from worker.completion import read_completion
from worker.generations import read_generations
from worker.outcomes import told
from worker.together import together

if TYPE_CHECKING:
    from datetime import datetime

State = Literal["complete", "running", "cancelled"]
TOGETHER = 8


class Lists(Store, Protocol):
    """The part of ``worker.blobs.Blobs`` that finds batches."""

    async def folders(self, container: str) -> list[str]:
        """What stands before the first ``/`` in the names of a container's blobs."""

    async def created(self, container: str, prefix: str) -> dict[str, datetime]:
        """When the blobs were created whose names begin with a prefix, by their names."""


@dataclass(frozen=True)
class Summary:
    """One batch.

    Attributes:
        name: its name.
        jobs: how many jobs its manifest has.
        done: how many of them have a result.
        created_at: when its first record was written.
        state: ``running`` is also said of one that waits for a worker.
        counts: the generations that count, the latest first.
        generations: how many there are, the first included.
        generation_of: the batch of which this one is a generation.
    """

    name: str
    jobs: int
    done: int
    created_at: datetime
    state: State
    counts: tuple[int, ...]
    generations: int
    generation_of: str | None = None


async def batches(store: Lists, container: str) -> list[Summary]:
    """The batches by their names, generations after the batches that they are of; a few are read at a time.

    What has no manifest is no batch: jobs that come from elsewhere are in none.
    """
    names = [name for name in await store.folders(container) if not name.startswith("_")]
    cancelled = {name.removeprefix(MARKERS) async for name in store.names(container, MARKERS)}
    read = await together(partial(_read, store, container, cancelled), names, TOGETHER)
    found = [each for each, _ in filter(None, read)]
    parents = {name: each.name for each, generations in filter(None, read) for name in generations}
    whole = [_with_parent(each, parents) for each in found]
    return sorted(whole, key=lambda each: (each.generation_of or each.name, each.created_at))


def _with_parent(summary: Summary, parents: dict[str, str]) -> Summary:
    return replace(summary, generation_of=parents.get(summary.name))


async def _read(
    store: Lists, container: str, cancelled: set[str], name: str
) -> tuple[Summary, list[str]] | None:
    """A batch and its generations' names; None for what is no batch."""
    folder = Folder(container, name)
    blobs = await store.created(container, f"{name}/_batch/")
    try:
        ids = {entry.id for entry in await read_manifest(store, folder)}
    except BatchError:
        return None
    completion = await read_completion(store, folder)
    is_done = completion is not None and completion["jobs"] == len(ids)
    done = len(ids) if is_done else len(ids & (await told(store, folder)).keys())
    record = await read_generations(store, folder)
    summary = Summary(
        name=name,
        jobs=len(ids),
        done=done,
        created_at=min(blobs.values()),
        state="cancelled" if name in cancelled else "complete" if done == len(ids) else "running",
        counts=record.counted,
        generations=1 + len(record.generations),
    )
    return summary, [each.batch for each in record.generations]
