"""Which jobs of a batch are to be graded again, and what they were when they were sent."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from worker.batch import BatchError
from worker.outcomes import outcomes
from worker.records import Records

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Sequence

    from worker.batch import Folder, Store
    from worker.generations import Only
    from worker.new_cases import NewCases
    from worker.views import View

NAMED = 10


class Selection:
    """The jobs that are asked for.

    Args:
        store: the blobs.
        folder: the batch.
        only: which of its jobs; None for all.
        cases: the new cases that they get, if any.
    """

    def __init__(self, store: Store, folder: Folder, only: Only, cases: NewCases) -> None:
        self._store, self._folder, self._only, self._cases = store, folder, only, cases

    async def ids(self, view: View) -> list[str]:
        """The jobs that are asked for, in the batch's order, all of them recorded."""
        ids = [entry.id for entry in view.entries]
        match self._only:
            case "failed":
                found = await outcomes(self._store, view.places)
                ids = [job_id for job_id in ids if job_id in found and not found[job_id].is_accepted]
            case tuple(named):
                self._check_known(named, ids)
                ids = [job_id for job_id in ids if job_id in named]
        return await self._surveyed(view, ids)

    def _check_known(self, named: Iterable[str], ids: Iterable[str]) -> None:
        if unknown := sorted(set(named).difference(ids)):
            raise BatchError(
                f"the batch {self._folder.batch!r} has no job {_listed(unknown)}: check the names"
            )

    async def _surveyed(self, view: View, ids: Sequence[str]) -> list[str]:
        """The jobs that can be sent again; if these are asked for, those of them whose cases change.

        A submission that was rejected before it was sent has a result and no record: it stays as it is.
        """
        recorded, taking, changing = set[str](), set[str](), set[str]()
        async for found in documents(self._store, view, ids):
            for document in found:
                recorded.add(document["id"])
                if self._cases.are_for(document):
                    taking.add(document["id"])
                if self._only == "changed" and await self._cases.change(document):
                    changing.add(document["id"])
        await self._check_recorded(view, [job_id for job_id in ids if job_id not in recorded])
        self._check_taking(recorded, taking)
        wanted = changing if self._only == "changed" else recorded
        return [job_id for job_id in ids if job_id in wanted]

    async def _check_recorded(self, view: View, unrecorded: Sequence[str]) -> None:
        batch = self._folder.batch
        ended = await outcomes(self._store, {job_id: view.places[job_id] for job_id in unrecorded})
        if missing := [job_id for job_id in unrecorded if job_id not in ended]:
            raise BatchError(
                f"{len(missing)} jobs of {batch!r} were never recorded, since submitting it was cut off: "
                f"{_listed(missing)}; run that jsworker submit again first"
            )

    def _check_taking(self, recorded: set[str], taking: set[str]) -> None:
        if self._cases.are_given and recorded and not taking:
            raise BatchError(
                f"each of these jobs of {self._folder.batch!r} has cases of its own, which a cases file "
                "does not replace: submit them with the new cases to a batch of another name"
            )


async def documents(store: Store, view: View, ids: Iterable[str]) -> AsyncIterator[list[dict[str, Any]]]:
    """The jobs as they were recorded in the generation whose result is read, a blob's worth at a time."""
    wanted = set(ids)
    for folder in dict.fromkeys(view.places.values()):
        of_folder = [job_id for job_id in wanted if view.places[job_id] == folder]
        if of_folder:
            async for jobs in Records(store, folder).jobs(of_folder):
                yield [json.loads(job.body) for job in jobs]


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
