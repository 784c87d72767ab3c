"""Grading again: the jobs of a batch, as they were recorded, are sent once more as a new generation."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from worker.batch import BatchError, Entry, Folder, check_fits, digest, read_manifest, register
from worker.cancelling import is_marked
from worker.completion import is_complete
from worker.fitting import encoded
from worker.generations import (
    Generation,
    Only,
    change_generations,
    generation_folder,
    read_generations,
    refuse_generation,
)
from worker.messages import Outgoing
from worker.new_cases import NewCases
from worker.records import Records
from worker.selecting import Selection, documents
from worker.views import counting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from worker.batch import Queue, Store
    from worker.generations import Generations
    from worker.shared_cases import SharedCases
    from worker.views import View

CHUNK = 64


@dataclass(frozen=True)
class Request:
    """What is to be graded again, and how.

    Attributes:
        cases: a cases file for the jobs that have no cases of their own; None to keep what they had.
        only: which jobs; None for all.
        runs: how often; each is a generation.
    """

    cases: SharedCases | None = None
    only: Only = None
    runs: int = 1

    @property
    def digest(self) -> str | None:
        """The SHA-256 of the cases file."""
        return hashlib.sha256(self.cases.data).hexdigest() if self.cases else None

    def is_of(self, generation: Generation) -> bool:
        """Whether the generation was begun for such a request."""
        made = (generation.cases, generation.only, generation.runs)
        return made == (self.digest, self.only, self.runs)


class Regrade:
    """One batch being graded again; cut off anywhere and run again, it goes on and sends nothing twice."""

    def __init__(self, store: Store, queue: Queue, folder: Folder, request: Request) -> None:
        self._store, self._queue, self._folder, self._request = store, queue, folder, request
        self._cases = NewCases(store, folder, request.cases)
        self._selection = Selection(store, folder, request.only, self._cases)

    async def run(
        self, on_begun: Callable[[Generation], object] = lambda _: None, *, anew: bool = True
    ) -> list[Generation]:
        """Send the jobs of each generation that is asked for; none when there is no such job.

        Args:
            on_begun: told of each generation before its jobs are sent.
            anew: whether to begin another generation when one like it is complete.

        Raises:
            BatchError: there is no such batch, it was cancelled, or what is asked for cannot be done.
        """
        await refuse_generation(self._store, self._folder)
        await read_manifest(self._store, self._folder)
        if await is_marked(self._store, self._folder.container, self._folder.batch):
            raise BatchError(
                f"the batch {self._folder.batch!r} was cancelled, its jobs would not run: submit its "
                "programs to a batch of another name"
            )
        series = await self._standing(anew=anew)
        view = await counting(self._store, self._folder, series[0].counted if series else None)
        ids = await self._begun(series) or await self._selection.ids(view)
        if not ids:
            return []
        series = await self._begin(series, view, len(ids))
        for each in series:
            on_begun(each)
            await self._send(each, view, ids)
        return series

    async def _standing(self, *, anew: bool) -> list[Generation]:
        """What the same request began last, unless that is complete and it is to begin anew."""
        record = await read_generations(self._store, self._folder)
        alike = [each for each in record.generations if self._request.is_of(each)]
        series = [each for each in alike if each.series == alike[-1].series]
        return series if not anew or await self._is_unfinished(series) else []

    async def _is_unfinished(self, series: Iterable[Generation]) -> bool:
        for each in series:
            folder = Folder(self._folder.container, each.batch)
            try:
                if not await is_marked(self._store, folder.container, folder.batch) and not await is_complete(
                    self._store, folder
                ):
                    return True
            except BatchError:
                return True  # it has no manifest yet
        return False

    async def _begun(self, series: Sequence[Generation]) -> list[str]:
        """The jobs of a series as its first manifest fixed them."""
        with suppress(BatchError):
            if series:
                folder = Folder(self._folder.container, series[0].batch)
                return [entry.id for entry in await read_manifest(self._store, folder)]
        return []

    async def _begin(self, series: Sequence[Generation], view: View, jobs: int) -> list[Generation]:
        """Record the generations before anything of them is there."""
        if not series:
            series = await self._new(view, jobs)
        check_fits(series[-1].batch, view.places)
        numbers = {each.number for each in series}
        wanted = [each.model_copy(update={"jobs": jobs}) for each in series]

        def change(record: Generations) -> Generations:
            _check_own(record, wanted)
            others = [each for each in record.generations if each.number not in numbers]
            ordered = sorted([*others, *wanted], key=lambda each: each.number)
            return record.model_copy(update={"generations": tuple(ordered)})

        await change_generations(self._store, self._folder, change)
        return wanted

    async def _new(self, view: View, jobs: int) -> list[Generation]:
        """Generations of numbers that are free: a batch of somebody else's may have such a name."""
        runs = self._request.runs
        first = (await read_generations(self._store, self._folder)).next_number
        while any([await self._is_taken(number) for number in range(first, first + runs)]):
            first += 1
        return [
            Generation(
                number=number,
                batch=generation_folder(self._folder, number).batch,
                created_at=datetime.now(UTC),
                jobs=jobs,
                cases=self._request.digest,
                only=self._request.only,
                counted=view.numbers,
                series=first,
                runs=runs,
            )
            for number in range(first, first + runs)
        ]

    async def _is_taken(self, number: int) -> bool:
        try:
            await read_manifest(self._store, generation_folder(self._folder, number))
        except BatchError:
            return False
        return True

    async def _send(self, generation: Generation, view: View, ids: Sequence[str]) -> None:
        """Fix the jobs in a manifest, then send those that are not recorded as sent."""
        folder = Folder(self._folder.container, generation.batch)
        cases = await self._cases.stored(folder.batch)
        digests: dict[str, str] = {}
        async for found in documents(self._store, view, ids):
            made = [self._made(document, folder, cases) for document in found]
            digests |= {document["id"]: digest(document) for document in made}
        entries = [
            Entry(entry.id, digests[entry.id], entry.metadata)
            for entry in view.entries
            if entry.id in digests
        ]
        await register(self._store, folder, entries)
        records = Records(self._store, folder)
        sent = await records.sent()
        async for found in documents(self._store, view, [job_id for job_id in ids if job_id not in sent]):
            for start in range(0, len(found), CHUNK):
                chunk = [self._made(each, folder, cases) for each in found[start : start + CHUNK]]
                await records.send(self._queue, {each["id"]: _message(each) for each in chunk})

    def _made(self, document: dict[str, Any], folder: Folder, cases: dict[str, str] | None) -> dict[str, Any]:
        """The job in a new generation: but for the cases, what it is made of stays what and where it was."""
        given = {"cases": cases} if cases and self._cases.are_for(document) else {}
        return {**document, "batch": folder.batch, **given}


def _check_own(record: Generations, wanted: Iterable[Generation]) -> None:
    standing = {each.number: each.created_at for each in record.generations}
    if taken := [
        each.number for each in wanted if standing.get(each.number, each.created_at) != each.created_at
    ]:
        raise BatchError(f"somebody else has begun generation {taken[0]} at the same moment: run this again")


def _message(document: dict[str, Any]) -> Outgoing:
    return Outgoing(body=encoded(document), message_id=f"{document['batch']}/{document['id']}")
