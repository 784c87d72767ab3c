"""Generations of a batch: runs of its jobs with results of their own, and which of these count.

Generation 1 is the batch itself; generation N of ``hw1`` is the batch ``hw1.gN``. Which there are, and which
were made to count, stands in one blob beside generation 1.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict

from worker.batch import MAX_MANIFEST_BYTES, BatchError, Folder
from worker.faults import AlreadyCommitted, BlobMissing
from worker.names import NAME
from worker.result import UtcTime  # noqa: TC001 - pydantic reads it when the models are made

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from worker.batch import Store

Only = Literal["failed", "changed"] | tuple[str, ...] | None
_NAME = re.compile(r"(.+)\.g([1-9][0-9]{0,8})")


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True)


class Generation(_Model):
    """One generation after the first, and why it was made.

    Attributes:
        number: from 2.
        batch: the batch that it is.
        created_at: when it was begun.
        jobs: how many jobs it has.
        cases: the SHA-256 of its cases file; None if it keeps the cases that its jobs had.
        only: which jobs it is of; None for all.
        counted: the generations that counted when it was begun, the first counting most: its jobs are theirs.
        series: the number of the first of those that were begun together.
        runs: how many those are.
    """

    number: int
    batch: str
    created_at: UtcTime
    jobs: int
    cases: str | None = None
    only: Only = None
    counted: tuple[int, ...] = (1,)
    series: int
    runs: int = 1


class Promotion(_Model):
    """That a generation was made to count, or that this was undone: then ``generation`` counts again."""

    generation: int
    at: UtcTime
    undoes: int | None = None


class Generations(_Model):
    """The record of a batch's generations: both lists only grow."""

    version: Literal[1] = 1
    batch: str
    generations: tuple[Generation, ...] = ()
    promotions: tuple[Promotion, ...] = ()

    @property
    def counted(self) -> tuple[int, ...]:
        """The generations that count, the latest first; a job's result is that of the first which has it."""
        latest_first = list(dict.fromkeys(reversed(self._stack())))
        return tuple(latest_first[: latest_first.index(1) + 1])

    @property
    def next_number(self) -> int:
        """The number of the generation that is begun next."""
        return max((generation.number for generation in self.generations), default=1) + 1

    def find(self, number: int) -> Generation | None:
        """The generation of that number; None for the first, which is the batch itself.

        Raises:
            BatchError: there is none.
        """
        known = {generation.number: generation for generation in self.generations}
        if number != 1 and number not in known:
            there = ", ".join(map(str, [1, *sorted(known)]))
            raise BatchError(f"the batch {self.batch!r} has no generation {number}; there are: {there}")
        return known.get(number)

    def promoted(self, number: int, at: datetime) -> Generations:
        """The record after a generation was made to count; the same if it does already."""
        if self._stack()[-1] == number:
            return self
        return self._with(Promotion(generation=number, at=at))

    def undone(self, at: datetime) -> Generations:
        """The record after the last promotion that stands was undone.

        Raises:
            BatchError: there is none.
        """
        stack = self._stack()
        if len(stack) == 1:
            raise BatchError(f"generation 1 of {self.batch!r} counts: there is no promotion to undo")
        return self._with(Promotion(generation=stack[-2], at=at, undoes=stack[-1]))

    def _with(self, promotion: Promotion) -> Generations:
        return self.model_copy(update={"promotions": (*self.promotions, promotion)})

    def _stack(self) -> list[int]:
        """Who counted before whom, generation 1 at the bottom."""
        stack = [1]
        for promotion in self.promotions:
            if promotion.undoes is None:
                stack.append(promotion.generation)
            else:
                stack.pop()
        return stack


def record_blob(folder: Folder) -> str:
    """Where the record of a batch's generations lies, as ``container/name``."""
    return f"{folder.container}/{folder.batch}/_batch/generations.json"


def generation_folder(folder: Folder, number: int) -> Folder:
    """The batch that a generation is.

    Raises:
        BatchError: its name would be too long.
    """
    name = folder.batch if number == 1 else f"{folder.batch}.g{number}"
    if not re.fullmatch(NAME, name):
        raise BatchError(
            f"generation {number} of {folder.batch!r} would be the batch {name!r}, whose name is too long: "
            f"{len(name)} characters, and 128 are taken. Submit the programs to a batch of a shorter name"
        )
    return Folder(folder.container, name)


async def read_generations(store: Store, folder: Folder) -> Generations:
    """The record; of a batch that was never graded again, an empty one."""
    record, _ = await _read(store, folder)
    return record


async def change_generations(
    store: Store, folder: Folder, change: Callable[[Generations], Generations]
) -> Generations:
    """Change the record, again if somebody else does so meanwhile; returns it as it is then.

    A change that was made but whose answer was lost is known by what it wrote.
    """
    written: bytes | None = None
    while True:
        standing, etag = await _read(store, folder)
        if _data(standing) == written:
            return standing
        wanted = change(standing)
        written = _data(wanted)
        if wanted == standing or await _written(store, folder, written, etag):
            return wanted


async def refuse_generation(store: Store, folder: Folder) -> None:
    """See to it that a batch is no generation of another one.

    Raises:
        BatchError: it is.
    """
    found = _NAME.fullmatch(folder.batch)
    if not found:
        return
    record = await read_generations(store, Folder(folder.container, found[1]))
    if folder.batch in {generation.batch for generation in record.generations}:
        raise BatchError(
            f"{folder.batch!r} is generation {found[2]} of {found[1]!r}: name that batch instead"
        )


async def _read(store: Store, folder: Folder) -> tuple[Generations, str | None]:
    try:
        content = await store.read(record_blob(folder), limit=MAX_MANIFEST_BYTES)
    except BlobMissing:
        return Generations(batch=folder.batch), None
    return Generations.model_validate_json(content.data), content.etag


def _data(record: Generations) -> bytes:
    return record.model_dump_json(indent=1).encode()


async def _written(store: Store, folder: Folder, data: bytes, etag: str | None) -> bool:
    try:
        if etag is None:
            await store.create(record_blob(folder), data)
        else:
            await store.put(record_blob(folder), data, if_match=etag)
    except AlreadyCommitted:
        return False
    return True
