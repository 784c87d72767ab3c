"""Routes as people write them: which events become jobs, and which jobs."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, WithJsonSchema

from worker.comparing import fault_of
from worker.model import FilePath, Model
from worker.names import check_name

MOST_ROUTES = 100
MOST_PATTERN = 1000
_SCALAR = {"type": ["string", "number", "boolean", "null"]}


def regex_in(pattern: str) -> str | None:
    """The regular expression of a pattern that is one; None for a glob."""
    is_regex = len(pattern) > 1 and pattern.startswith("/") and pattern.endswith("/")
    return pattern[1:-1] if is_regex else None


def _check_pattern(pattern: str) -> str:
    regex = regex_in(pattern)
    if regex is not None and (fault := fault_of("regex", regex)):
        raise ValueError(fault)
    return pattern


def _check_wanted(value: Any) -> Any:  # noqa: ANN401 - any JSON
    values = value if isinstance(value, tuple) else (value,)
    if not values or not all(each is None or isinstance(each, str | int | float) for each in values):
        raise ValueError("is a value, or a list of them: text, a number, true, false or null")
    return value


def _check_template(value: Any) -> Any:  # noqa: ANN401 - any JSON
    if not isinstance(value, str | dict):
        raise ValueError("is a job, or the name of one of jobs")  # noqa: TRY004 - pydantic takes no other
    return value


Pattern = Annotated[str, Field(min_length=1, max_length=MOST_PATTERN), AfterValidator(_check_pattern)]
Wanted = Annotated[
    Any,
    AfterValidator(_check_wanted),
    WithJsonSchema({"anyOf": [_SCALAR, {"type": "array", "items": _SCALAR, "minItems": 1}]}),
]
Template = Annotated[
    Any, AfterValidator(_check_template), WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "object"}]})
]
# Short, since the names of a batch and of its jobs are made of it; Blob storage takes no dot at the end.
RouteName = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9._-]{0,38}[A-Za-z0-9_-])?$"), AfterValidator(check_name)
]
QueueName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,259}$")]


class Match(Model):
    """What an event must have; all of it. A pattern is a glob, or a regular expression between slashes.

    ``data`` has values by JMESPath expressions over the event's data, each with what it must be, or a list
    of what it may be.
    """

    type: Pattern | None = None
    source: Pattern | None = None
    subject: Pattern | None = None
    data: dict[str, Wanted] = Field(default_factory=dict, max_length=20)


class Route(Model):
    """One route: an event that matches becomes a job.

    ``job`` is its template, or the name of one in the file's ``jobs``. ``file`` is a path in the program's
    folder at which the event lies as JSON; with ``stdin: event`` the program reads it. ``queue`` is where the
    job is sent, if not to the worker's own.
    """

    name: RouteName
    match: Match
    job: Template
    file: FilePath | None = None
    stdin: Literal["event"] | None = None
    queue: QueueName | None = None


class RoutesFile(Model):
    """A file of routes, version 1. ``unmatched`` is what becomes of events that match none."""

    version: Literal[1]
    jobs: dict[str, dict[str, Any]] = Field(default_factory=dict, max_length=MOST_ROUTES)
    routes: Annotated[tuple[Route, ...], Field(max_length=MOST_ROUTES, json_schema_extra={"minItems": 1})]
    unmatched: Literal["complete", "dead_letter"] = "complete"

    def template(self, route: Route) -> dict[str, Any]:
        """The template of a route of a file that was checked."""
        return self.jobs[route.job] if isinstance(route.job, str) else route.job
