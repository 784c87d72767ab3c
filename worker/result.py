"""The result, version 1: what a job ended in. Its blob is the commit."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, PlainSerializer

from worker.trace import Trace  # noqa: TC001 - pydantic reads it when the model is made
from worker.trigger import Trigger  # noqa: TC001 - pydantic reads it when the model is made

Status = Literal[
    "succeeded",
    "failed",
    "timed_out",
    "out_of_memory",
    "output_limit",
    "rejected",
    "infrastructure_failed",
    "cancelled",
]
Verdict = Literal[
    "accepted",
    "wrong_answer",
    "partial",
    "runtime_error",
    "time_limit",
    "memory_limit",
    "output_limit",
    "rejected",
    "internal_error",
    "skipped",
]
UtcTime = Annotated[
    datetime,
    PlainSerializer(lambda t: t.isoformat(timespec="milliseconds").replace("+00:00", "Z"), return_type=str),
]


class Model(BaseModel):
    """Frozen."""

    model_config = ConfigDict(frozen=True)


class Stream(Model):
    """One output stream of the program.

    ``text`` is decoded with replacement and may be the beginning only; ``bytes`` counts what was captured;
    ``blob`` holds every captured byte where ``text`` does not; ``truncated`` says that the program wrote more
    than was captured, or that ``text`` is not all of it.
    """

    text: str = ""
    bytes: int = 0
    truncated: bool = False
    blob: str | None = None


class Error(Model):
    """Why a job did not succeed, in words its owner understands."""

    code: str
    message: str
    field: str | None = None


class Score(Model):
    """Points reached, of how many."""

    points: float
    of: float


class CaseResult(Model):
    """How one case went.

    ``message`` is what a checker or a harness said. Of a ``hidden`` case streams, diff and message stay out;
    they are in the result's ``hidden_blob``. ``skipped`` is the verdict of what came after the first failure.
    """

    name: str
    verdict: Verdict
    points: float
    of: float
    exit_code: int | None = None
    signal: str | None = None
    duration_ms: float | None = None
    stdout: Stream = Stream()
    stderr: Stream = Stream()
    diff: str | None = None
    message: str | None = None
    hidden: bool = False


class CollectedFile(Model):
    """A file the job asked for, as stored."""

    path: str
    blob: str
    bytes: int


class Timings(Model):
    """Milliseconds by phase; None for a phase that did not happen. ``store_ms`` ends before the commit.

    ``check_ms`` is the checker's part, with the wait for its session.
    """

    queued_ms: float | None = None
    fetch_ms: float | None = None
    wait_ms: float | None = None
    allocate_ms: float | None = None
    execute_ms: float | None = None
    release_ms: float | None = None
    check_ms: float | None = None
    store_ms: float | None = None


class SessionUse(Model):
    """The policy under which the session was taken; its identifier is a secret."""

    policy: Literal["fresh", "keyed", "shared"]


class FanOut(Model):
    """The jobs of a fan-out by the id of the first and their number."""

    first: str
    count: int


class NextStep(Model):
    """What a step after the job came to: its jobs, and the one that joins them (``batch/id``).

    ``started`` is False where the job did not end as the step wants, ``error`` why its jobs could not be made
    (there is then one, which is rejected). ``fan_in`` is the blob with what is known of the fan-out.
    """

    step: str
    on: Literal["succeeded", "failed", "ended"]
    started: bool = True
    batch: str | None = None
    jobs: tuple[str, ...] | FanOut = ()
    join: str | None = None
    fan_in: str | None = None
    error: Error | None = None


class Producer(Model):
    """Who made the result."""

    version: str
    instance: str


class Result(Model):
    """What came of one job, as in the published schema (``jsworker schema result``).

    ``attempts`` counts executions, ``deliveries`` how often the job's message came, both from 1; ``faults``
    are what went wrong before this result, oldest first. ``hidden_blob`` names the blob, for those who set
    the cases, with what hidden ones left: a JSON object of ``stdout``, ``stderr``, ``diff`` and ``message``
    by the index of the case.
    """

    version: Literal[1] = 1
    id: str
    batch: str
    status: Status
    verdict: Verdict | None = None
    score: Score | None = None
    exit_code: int | None = None
    signal: str | None = None
    stdout: Stream = Stream()
    stderr: Stream = Stream()
    value: str | None = None
    error: Error | None = None
    cases: tuple[CaseResult, ...] = ()
    hidden_blob: str | None = None
    files: tuple[CollectedFile, ...] = ()
    timings: Timings = Timings()
    attempts: int = 1
    deliveries: int = 1
    faults: tuple[str, ...] = ()
    code_sha256: str | None = None
    session: SessionUse | None = None
    worker: Producer
    started_at: UtcTime
    finished_at: UtcTime
    trigger: Trigger | None = None
    trace: Trace | None = None
    then: tuple[NextStep, ...] = ()
    metadata: dict[str, Any] = {}

    def progress_line(self) -> bytes:
        """This result in the batch's progress blob: one JSON object and a line end."""
        line = self.model_dump_json(
            include={"id", "status", "verdict", "score", "exit_code", "attempts", "finished_at"},
            exclude_none=True,
        )
        return line.encode() + b"\n"


def result_blob(batch: str, job_id: str) -> str:
    """The name, in the results container, of the blob whose creation commits a job."""
    return f"{batch}/{job_id}/result.json"


def attempt_blob(batch: str, job_id: str, attempt: str, name: str) -> str:
    """The name, in the results container, of what an attempt stored beside the commit."""
    return f"{batch}/{job_id}/attempts/{attempt}/{name}"
