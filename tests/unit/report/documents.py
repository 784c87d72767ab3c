"""Results as the worker writes them, with what a test is about, and reports on them."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

from tests.unit.batch.fakes import MemoryBlobs
from worker.batch import Folder
from worker.report.formats import Report
from worker.report.reading import write

if TYPE_CHECKING:
    from collections.abc import Sequence

FOLDER = Folder("results", "hw1")
HIDDEN_BLOB = "results/hw1/ada/hidden.json"


def stream(text: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - fields
    return {"text": text, "bytes": len(text.encode()), "truncated": False, "blob": None, **more}


def case(name: str, verdict: str = "accepted", of: float = 2, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - fields
    points = of if verdict == "accepted" else 0
    return {"name": name, "verdict": verdict, "points": points, "of": of, "duration_ms": 40.0, **more}


def graded(job_id: str, cases: Sequence[dict[str, Any]], **more: Any) -> dict[str, Any]:  # noqa: ANN401 - fields
    points, of = sum(case["points"] for case in cases), sum(case["of"] for case in cases)
    first = next((case["verdict"] for case in cases if case["verdict"] != "accepted"), "accepted")
    verdict = "partial" if points and first != "accepted" else first
    score = {"points": points, "of": of}
    return result(job_id, verdict=verdict, score=score, cases=list(cases), **more)


def result(job_id: str, status: str = "succeeded", **more: Any) -> dict[str, Any]:  # noqa: ANN401 - fields
    times = {"started_at": "2026-03-02T09:00:00.000Z", "finished_at": "2026-03-02T09:00:01.500Z"}
    return {"id": job_id, "status": status, "timings": {"execute_ms": 1500.0}, **times, **more}


def named(name: str) -> dict[str, Any]:
    return {"student": name}


async def reported(
    form: str | None,
    *results: dict[str, Any],
    missing: Sequence[str] = (),
    blobs: MemoryBlobs | None = None,
    **more: Any,  # noqa: ANN401 - the report's
) -> str:
    """A report on results, and on jobs that have none."""
    blobs = blobs or MemoryBlobs()
    for document in results:
        await blobs.create(FOLDER.result(document["id"]), json.dumps(document).encode())
    ids = [*(document["id"] for document in results), *missing]
    report = Report("hw1", ids, 120, **more)
    out = io.StringIO()
    await write(blobs, FOLDER, ids, report.writer(form), out, hidden=report.hidden and form == "html")
    return out.getvalue()
