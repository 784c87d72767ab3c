"""A batch that was submitted and graded, and what came of it, in a few words."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.unit.batch.fakes import Calls, MemoryBlobs, MemoryQueue, result
from worker.batch import Entry, Folder, digest, read_manifest, register
from worker.fitting import encoded
from worker.messages import Outgoing
from worker.records import Records
from worker.regrading import Regrade, Request
from worker.result import CaseResult, Score

if TYPE_CHECKING:
    from worker.generations import Generation

FOLDER = Folder("results", "hw1")
STATUSES = {"infrastructure_failed", "cancelled", "rejected", "timed_out"}
FIRST = b'{"version": 1, "cases": [{"name": "adds", "stdin": "1 2", "expect": {"stdout": "3"}}]}'
SECOND = b'{"version": 1, "cases": [{"name": "adds", "stdin": "1 2", "expect": {"stdout": "4"}}]}'
OLD_CASES = "inputs/hw1/cases-0123456789abcdef.json"


class Course:
    """Blobs and a queue with batches; ``calls`` are those that change something."""

    def __init__(self) -> None:
        self.calls = Calls()
        self.blobs, self.queue = MemoryBlobs(self.calls), MemoryQueue(self.calls)

    async def submit(self, *ids: str, batch: str = "hw1", **fields: Any) -> None:  # noqa: ANN401 - a job's own
        """Jobs of a batch, sent and recorded."""
        folder = Folder("results", batch)
        jobs = [
            {"version": 1, "id": job_id, "batch": batch, "code": {"inline": job_id}, **fields}
            for job_id in ids
        ]
        entries = [Entry(job["id"], digest(job), {"student": f"student {job['id']}"}) for job in jobs]
        await register(self.blobs, folder, entries)
        messages = {job["id"]: Outgoing(encoded(job), f"{batch}/{job['id']}") for job in jobs}
        await Records(self.blobs, folder).send(self.queue, messages)

    async def grade(self, batch: str = "hw1", **verdicts: str) -> None:
        """Commit and tell results: a job's verdict, with its points in ``verdict:points``, or its status.

        The job's one case has the verdict too, unless another stands behind: ``verdict:points:of the case``.
        """
        for job_id, verdict in verdicts.items():
            graded = {"status": verdict} if verdict in STATUSES else _graded(*verdict.split(":"))
            ended = result(job_id, batch, **graded)
            await self.blobs.put(f"results/{batch}/{job_id}/result.json", ended.model_dump_json().encode())
            await self.blobs.append(f"results/{batch}/_batch/progress-00000.jsonl", ended.progress_line())

    async def graded(self, **verdicts: str) -> None:
        """A batch ``hw1`` that was submitted and graded so, with a cases file of its own."""
        etag = await self.blobs.create(OLD_CASES, FIRST)
        await self.submit(*verdicts, cases={"blob": OLD_CASES, "etag": etag})
        await self.grade(**verdicts)
        self.queue.messages.clear()
        self.queue.properties.clear()
        self.queue.sent = 0

    async def regrade(self, request: Request | None = None, *, anew: bool = True) -> list[Generation]:
        return await Regrade(self.blobs, self.queue, FOLDER, request or Request()).run(anew=anew)

    async def ids(self, batch: str) -> list[str]:
        return [entry.id for entry in await read_manifest(self.blobs, Folder("results", batch))]

    def sent(self) -> dict[str, dict[str, Any]]:
        """The jobs in the queue, by the ids of their messages."""
        return {name: json.loads(body) for name, body in self.queue.messages.items()}


def _graded(verdict: str, points: str = "", case: str = "") -> dict[str, Any]:
    cases = CaseResult.model_validate({"name": "adds", "verdict": case or verdict, "points": 0, "of": 2})
    score = Score(points=float(points or verdict == "accepted"), of=2)
    return {"status": "succeeded", "verdict": verdict, "score": score, "cases": (cases,)}
