"""The cases of a job: read from a cases file, completed with its defaults, and checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from worker.comparing import fault_of
from worker.faults import JobRejected
from worker.job import Case, CaseList, Compare, Limits, Model, Points, validated
from worker.strict_json import parse_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from worker.job import Job, Text


class CasesFile(Model):
    """A cases file, version 1; ``limits``, ``compare`` and ``points`` are defaults for its cases."""

    version: Literal[1]
    cases: CaseList
    limits: Limits = Limits()
    compare: Compare = "trimmed"
    points: Points = 1


@dataclass(frozen=True)
class WantedRun:
    """What a run is to be given; ``field`` is where the job says so, with a dot at its end if anywhere."""

    field: str
    stdin: Text | None
    args: tuple[str, ...]
    limits: Limits


def load_cases(data: bytes) -> tuple[Case, ...]:
    """Read a cases file, JSON in UTF-8.

    Raises:
        JobRejected: ``unsupported_version`` or ``invalid_cases``, with the field at fault.
    """
    try:
        document = parse_json(data.removeprefix(b"\xef\xbb\xbf"), "cases file")
    except JobRejected as rejection:
        raise JobRejected("invalid_cases", rejection.message, "cases") from None
    if not isinstance(document, dict):
        raise JobRejected("invalid_cases", "a cases file is a JSON object", "cases")
    version = document.get("version")
    if version is not None and (type(version) is not int or version != 1):
        message = f"this worker knows cases files of version 1, not {version!r:.40}"
        raise JobRejected("unsupported_version", message, "cases.version")
    return checked(_completed(_validated(document)))


def checked(cases: tuple[Case, ...]) -> tuple[Case, ...]:
    """The cases, whose expectations can all be compared with.

    Raises:
        JobRejected: ``invalid_cases``: one cannot.
    """
    for index, case in enumerate(cases):
        fault = fault_of(case.compare, case.expect.stdout or "") if case.expect.stdout is not None else None
        if fault:
            field = f"cases.{index}.expect.stdout"
            raise JobRejected("invalid_cases", f"{field}: {fault}", field)
    return cases


def wanted_runs(job: Job, cases: Sequence[Case]) -> Iterator[WantedRun]:
    """A run for each case, or one; what a case does not say, the job says."""
    if not cases:
        yield WantedRun("", job.stdin, job.args, job.limits)
    for index, case in enumerate(cases):
        yield WantedRun(
            f"cases.{index}.",
            job.stdin if case.stdin is None else case.stdin,
            case.args if "args" in case.model_fields_set else job.args,
            _merged(job.limits, case.limits),
        )


def _validated(document: dict[str, object]) -> CasesFile:
    try:
        return validated(CasesFile, document, "invalid_cases")
    except JobRejected as rejection:
        field = rejection.field or ""
        in_job = field if field.partition(".")[0] == "cases" else f"cases.{field}".rstrip(".")
        raise JobRejected(rejection.code, f"cases file: {rejection.message}", in_job) from None


def _completed(file: CasesFile) -> tuple[Case, ...]:
    defaults = {"compare": file.compare, "points": file.points}
    return tuple(
        case.model_copy(
            update={
                **{name: value for name, value in defaults.items() if name not in case.model_fields_set},
                "limits": _merged(file.limits, case.limits),
            }
        )
        for case in file.cases
    )


def _merged(defaults: Limits, own: Limits) -> Limits:
    return defaults.model_copy(update=own.model_dump(exclude_none=True))
