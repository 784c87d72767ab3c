"""The cases of a job as runs of its program."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from worker.model import merged

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from worker.case import Case, CasesFile
    from worker.job import Job
    from worker.model import File, Limits, Text


@dataclass(frozen=True)
class WantedRun:
    """What a run is to be given; ``field`` is where the job says so, with a dot at its end if anywhere."""

    field: str
    stdin: Text | None
    args: tuple[str, ...]
    limits: Limits
    files: tuple[File, ...] = ()


def wanted_runs(job: Job, cases: Sequence[Case]) -> Iterator[WantedRun]:
    """A run for each case, or one; what a case does not say, the job says."""
    if not cases:
        yield WantedRun("", job.stdin, job.args, job.limits)
    for index, case in enumerate(cases):
        yield WantedRun(
            f"cases.{index}.",
            job.stdin if case.stdin is None else case.stdin,
            case.args if "args" in case.model_fields_set else job.args,
            merged(job.limits, case.limits),
            case.files,
        )


def harness_run(job: Job, file: CasesFile) -> WantedRun:
    """The one run of a harness."""
    return WantedRun("", job.stdin, job.args, merged(job.limits, file.limits))
