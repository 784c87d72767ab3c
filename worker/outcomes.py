"""How the jobs of a batch ended, in a few words each: from its records of progress, which are read at once.

A line of these can be outdated where a result may be replaced by another run; there the result is read.
"""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from worker.batch import MAX_MANIFEST_BYTES
from worker.faults import BlobMissing
from worker.report import MAX_RESULT_BYTES
from worker.result import Result
from worker.together import together
from worker.watching import LINES_AT_ONCE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from worker.batch import Folder, Store

REPLACEABLE = frozenset({"rejected", "infrastructure_failed"})
UNREADABLE = "unreadable"  # in a result's place is something that no worker has written
NOT_GRADED = frozenset({"infrastructure_failed", "cancelled", UNREADABLE})


@dataclass(frozen=True)
class Outcome:
    """What a result says, but for the details; ``points`` is None where nothing was graded."""

    id: str
    status: str
    verdict: str | None = None
    points: float | None = None
    of: float | None = None

    @property
    def word(self) -> str:
        """The verdict, or the status where there is none."""
        return self.verdict or self.status

    @property
    def is_accepted(self) -> bool:
        """Whether it was accepted; where nothing was graded, whether it succeeded."""
        return (self.verdict or self.status) in {"accepted", "succeeded"}

    @property
    def is_graded(self) -> bool:
        """Whether the program was judged; else the platform failed, or somebody cancelled it."""
        return self.status not in NOT_GRADED and self.verdict != "internal_error"

    @property
    def is_final(self) -> bool:
        """Whether no other run can replace it."""
        return self.status not in REPLACEABLE and self.verdict != "internal_error"


def outcome_of(document: dict[str, Any]) -> Outcome:
    """The outcome in a result, or in its line in the records of progress."""
    score = document.get("score") or {}
    outcome = Outcome(
        document["id"], document["status"], document.get("verdict"), score.get("points"), score.get("of")
    )
    return outcome if outcome.is_graded else Outcome(outcome.id, outcome.status, outcome.verdict)


def outcome_in(data: bytes, job_id: str) -> Outcome:
    """The outcome in what lies where a job's result is, whatever that is."""
    try:
        return outcome_of(Result.model_validate_json(data).model_dump())
    except ValidationError:
        return Outcome(job_id, UNREADABLE)


async def outcomes(store: Store, places: Mapping[str, Folder]) -> dict[str, Outcome]:
    """How jobs ended, by their ids; those that have no result are left out.

    Args:
        store: the blobs.
        places: for each id the batch whose result is meant.
    """
    batches: defaultdict[Folder, list[str]] = defaultdict(list)
    for job_id, folder in places.items():
        batches[folder].append(job_id)
    found: dict[str, Outcome] = {}
    for folder, ids in batches.items():
        found |= await _of_batch(store, folder, ids)
    return {job_id: found[job_id] for job_id in places if job_id in found}


async def told(store: Store, folder: Folder) -> dict[str, Outcome]:
    """What the records of progress say: of several lines for a job the first that is final, else the last."""
    found: dict[str, Outcome] = {}
    async for name in store.names(folder.container, folder.progress_prefix):
        data = (await store.read(f"{folder.container}/{name}", limit=MAX_MANIFEST_BYTES)).data
        for number, outcome in enumerate(_lines(data)):
            if number % LINES_AT_ONCE == 0:
                await asyncio.sleep(0)  # a worker has jobs beside this
            if outcome.id not in found or not found[outcome.id].is_final:
                found[outcome.id] = outcome
    return found


async def _of_batch(store: Store, folder: Folder, ids: Sequence[str]) -> dict[str, Outcome]:
    lines = await told(store, folder)
    doubtful = [job_id for job_id in ids if job_id not in lines or not lines[job_id].is_final]
    read = await together(lambda job_id: _read(store, folder, job_id), doubtful)
    results = {job_id: outcome for job_id, outcome in zip(doubtful, read, strict=True) if outcome}
    return {job_id: lines[job_id] for job_id in ids if job_id in lines} | results


async def _read(store: Store, folder: Folder, job_id: str) -> Outcome | None:
    try:
        return outcome_in((await store.read(folder.result(job_id), limit=MAX_RESULT_BYTES)).data, job_id)
    except BlobMissing:
        return None


def _lines(data: bytes) -> Iterator[Outcome]:
    return (outcome_of(json.loads(line)) for line in data[: data.rfind(b"\n") + 1].splitlines())
