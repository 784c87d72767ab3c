"""Reading a file of schedules: all that is wrong with it is told at once, with the lines."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from worker.cases_document import MAX_TOLD, InvalidCases, Problem, read_document
from worker.faults import JobRejected, SchedulesError
from worker.job import Job
from worker.model import Unfit, checked_against
from worker.places import Place
from worker.planned import OWN_ENVIRONMENT, Planned
from worker.schedule import MOST_SCHEDULES, SchedulesFile

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from worker.cases_document import Document

MAX_BYTES = 4 << 20
_GIVEN = ("version", "id", "trigger")  # by the schedule


def load_schedules(path: Path) -> SchedulesFile:
    """Read a file of schedules.

    Raises:
        SchedulesError: it cannot be used.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        data = file.read(MAX_BYTES + 1)
    return parse_schedules(data, path.name)


def parse_schedules(data: bytes, name: str) -> SchedulesFile:
    """The schedules of a file's bytes, YAML or JSON; raises as ``load_schedules`` does."""
    if len(data) > MAX_BYTES:
        raise SchedulesError(f"{name}: a file of schedules has at most {MAX_BYTES:,} bytes")
    try:
        document = read_document(data)
    except InvalidCases as error:
        raise _error(error.problems, name) from None
    file = _fitting(document, name)
    problems = [
        document.problem(("schedules", index, "job", *_path(rejection.field)), rejection.message)
        for index, rejection in _rejections(file)
    ]
    if problems:
        raise _error(problems, name)
    return file


def _fitting(document: Document, name: str) -> SchedulesFile:
    fields = document.value
    if not isinstance(fields, dict):
        message = "a file of schedules is an object with version and schedules"
        raise _error([document.problem((), message)], name)
    found = None
    problems = list(_problems(document))
    try:
        found = checked_against(SchedulesFile, fields)
    except Unfit as error:
        problems = [document.problem(misfit.path, misfit.message) for misfit in error.misfits] + problems
    if found is None or problems:
        raise _error(problems, name)
    return found


def _problems(document: Document) -> Iterator[Problem]:
    """What the model does not tell: names that are there twice, and templates that make no job."""
    schedules = document.value.get("schedules")
    if not isinstance(schedules, list):
        return
    names: Counter[str] = Counter()
    for index, schedule in enumerate(schedules[:MOST_SCHEDULES]):
        match schedule:
            case {"name": str(name)}:
                names[name] += 1
                if names[name] > 1:
                    message = f"the name {name!r:.60} is there twice"
                    yield document.problem(("schedules", index, "name"), message)
        match schedule:
            case {"job": dict(job)}:
                yield from (
                    document.problem(("schedules", index, "job", *path), message)
                    for path, message in _misfits(job)
                )


def _misfits(job: dict[str, Any]) -> Iterator[tuple[tuple[int | str, ...], str]]:
    """What is wrong with a template by itself."""
    yield from (((key,), "is given by the schedule: leave it out") for key in _GIVEN if key in job)
    env = job.get("env")
    if isinstance(env, dict):
        own = (key for key in OWN_ENVIRONMENT if key in env)
        yield from ((("env", key), "is given by the schedule: leave it out") for key in own)
    rest = {key: value for key, value in job.items() if key not in _GIVEN}
    try:
        checked_against(Job, {**rest, "version": 1, "id": "x"})
    except Unfit as error:
        yield from ((misfit.path, misfit.message) for misfit in error.misfits)


def _rejections(file: SchedulesFile) -> Iterator[tuple[int, JobRejected]]:
    """Whose jobs are none in the end, by their length or their names."""
    for index, schedule in enumerate(file.schedules):
        try:
            Planned.by_hand(schedule, datetime(2025, 1, 1, tzinfo=UTC)).message(file.group, "~backfill")
        except JobRejected as rejection:
            yield index, rejection


def _path(field: str | None) -> tuple[int | str, ...]:
    return tuple(int(part) if part.isdigit() else part for part in (field or "").split(".") if part)


def _error(problems: Iterable[Problem], name: str) -> SchedulesError:
    """The problems in the order of their places, a line each."""
    ordered = sorted(problems, key=lambda problem: problem.place or Place(0, 0))
    more = [f"… and {len(ordered) - MAX_TOLD} more"] if len(ordered) > MAX_TOLD else []
    return SchedulesError("\n".join([problem.told(name) for problem in ordered[:MAX_TOLD]] + more))
