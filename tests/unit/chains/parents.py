"""Jobs that have ended, for the tests of what follows them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from worker.ended import Output, Parent
from worker.job import validate_job
from worker.result import Producer, Result

if TYPE_CHECKING:
    from worker.steps import Step

CODE = {"inline": "1"}


def ended(job_id: str = "p", batch: str = "b", **fields: Any) -> Result:  # noqa: ANN401 - Result's
    """A result as a worker has it before its commit."""
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    whole: dict[str, Any] = {"status": "succeeded", "worker": Producer(version="1", instance="here")} | fields
    return Result(id=job_id, batch=batch, started_at=moment, finished_at=moment, **whole)


def parent(value: Any = None, text: str = "", **fields: Any) -> Parent:  # noqa: ANN401 - any JSON, and Result's
    return Parent(ended(**fields), Output(text, value), "1-0-a")


def steps(*documents: dict[str, Any]) -> tuple[Step, ...]:
    """The steps of a valid job."""
    job = {"version": 1, "id": "p", "batch": "b", "code": CODE, "then": list(documents)}
    return validate_job(job).then


def step(name: str = "next", **fields: Any) -> dict[str, Any]:  # noqa: ANN401 - a step's
    """A step with a job that is valid."""
    return {"name": name, "job": {"code": CODE}} | fields
