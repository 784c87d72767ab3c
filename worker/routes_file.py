"""Reading a file of routes; all that is wrong with it is told at once, by line."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import jmespath
from jmespath.exceptions import JMESPathError

from worker.cases_document import InvalidCases, Problem, read_document
from worker.filling import MOST_EXPRESSION, expressions, mistakes
from worker.job import Job, check_steps
from worker.model import UNKNOWN, Unfit, checked_against
from worker.routes import RoutesFile
from worker.setting_groups import PREFIX
from worker.settings import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from worker.cases_document import Document
    from worker.places import Path as Part
    from worker.routes import Route
    from worker.settings import WorkerSettings

MOST_BYTES = 1 << 20
VALUES = ("event", "blob", "container", "name")  # what templates may name
_OWN = {"id": "the event gives the job its id", "trigger": "the event gives the job its trigger"}
_APART = {"subexpression", "index_expression", "projection", "value_projection", "filter_projection",
          "flatten", "pipe"}  # fmt: skip


class InvalidRoutes(Exception):
    """A file of routes cannot be used; ``problems`` has all that is wrong with it."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self._found = InvalidCases(problems, "invalid_routes")
        self.problems: Sequence[Problem] = self._found.problems
        super().__init__(self._found.message)

    def told(self, name: str) -> list[str]:
        """The problems in the order of their places, a line each."""
        return self._found.told(name)


def configured_routes(settings: WorkerSettings) -> RoutesFile | None:
    """The worker's routes; None when it has none.

    Raises:
        SettingsError: they cannot be used, for all these reasons.
    """
    if settings.routes is None:
        return None
    try:
        return read_routes(settings.routes)
    except InvalidRoutes as error:
        problems = error.told(str(settings.routes))
    except OSError as error:
        problems = [f"{settings.routes}: {error.strerror}"]
    lines = "\n".join(f"  {PREFIX}ROUTES: {problem}" for problem in problems)
    raise SettingsError(f"the settings cannot be used:\n{lines}")


def read_routes(path: Path) -> RoutesFile:
    """Read and check a file.

    Raises:
        InvalidRoutes: it cannot be used.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        data = file.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise InvalidRoutes([Problem(f"the file has over {MOST_BYTES} bytes")])
    return parse_routes(data)


def parse_routes(data: bytes) -> RoutesFile:
    """The routes of a file's bytes, YAML or JSON; raises as ``read_routes`` does."""
    try:
        document = read_document(data)
    except InvalidCases as error:
        raise InvalidRoutes(error.problems) from None
    file = _fitting(document)
    if problems := [document.problem(path, message) for path, message in _wrong(file)]:
        raise InvalidRoutes(problems)
    return file


def _fitting(document: Document) -> RoutesFile:
    if not isinstance(document.value, dict):
        raise InvalidRoutes([document.problem((), "a file of routes is an object with version and routes")])
    try:
        return checked_against(RoutesFile, document.value)
    except Unfit as error:
        raise InvalidRoutes(
            [document.problem(misfit.path, misfit.message) for misfit in error.misfits]
        ) from None


def _wrong(file: RoutesFile) -> Iterator[tuple[Part, str]]:
    if not file.routes:
        yield ("routes",), "there is none"
    names = Counter(route.name for route in file.routes)
    for name, template in file.jobs.items():
        yield from _wrong_template(("jobs", name), template)
    for index, route in enumerate(file.routes):
        at: Part = ("routes", index)
        if names[route.name] > 1:
            yield (*at, "name"), f"there are {names[route.name]} routes of this name"
        if not route.match.model_fields_set:
            yield (*at, "match"), "asks for nothing; a route for all events has 'type: \"*\"'"
        for expression in route.match.data:
            yield from _wrong_expression((*at, "match", "data", expression), expression)
        if isinstance(route.job, dict):
            yield from _wrong_template((*at, "job"), route.job)
        elif route.job not in file.jobs:
            yield (*at, "job"), f"there is no {route.job!r:.50} in jobs"
            continue
        yield from _wrong_together(at, route, file.template(route))


def _wrong_expression(at: Part, expression: str) -> Iterator[tuple[Part, str]]:
    try:
        if len(expression) > MOST_EXPRESSION:
            yield at, f"has over {MOST_EXPRESSION} characters"
        else:
            jmespath.compile(expression)
    except (JMESPathError, RecursionError, ValueError) as error:
        yield at, str(error).split("\n", 1)[0].rstrip(":") or "is nested too deep"


def _wrong_together(at: Part, route: Route, template: dict[str, Any]) -> Iterator[tuple[Part, str]]:
    if route.stdin and "stdin" in template:
        yield (*at, "stdin"), "the job has a stdin of its own"
    files = template.get("files", ())
    paths = [file.get("path") for file in files if isinstance(file, dict)] if isinstance(files, tuple) else []
    if route.file in paths:
        yield (*at, "file"), "the job has a file at this path"


def _wrong_template(at: Part, template: dict[str, Any]) -> Iterator[tuple[Part, str]]:
    own = {name: part for name, part in template.items() if name != "then"}
    wrong = mistakes(own)
    yield from (((*at, *each.path), each.message) for each in wrong)
    if wrong:
        return
    for each in check_steps(template.get("then", ())):
        yield (*at, "then", *each.path), each.message
    for path, expression in expressions(own):
        for name in sorted(_names(jmespath.compile(expression).parsed) - set(VALUES)):
            yield (*at, *path), f"there is no value {name!r:.50}; there are {', '.join(VALUES)}"
    yield from (((*at, name), message) for name, message in _OWN.items() if name in template)
    yield from (((*at, *path), message) for path, message in _misfits(template))


def _names(node: Any) -> set[str]:  # noqa: ANN401 - the parser's own
    """The values that an expression starts from."""
    if node["type"] == "field":
        return {node["value"]}
    if node["type"] == "expref":  # is applied to parts of a value
        return set()
    parts = [part for part in node["children"] if isinstance(part, dict)]
    return set().union(*map(_names, parts[:1] if node["type"] in _APART else parts))


def _misfits(template: dict[str, Any]) -> Iterator[tuple[Part, str]]:
    """What no values could make a job; where there is an expression, only they can tell."""
    try:
        checked_against(Job, {"version": 1, **template, "id": "made-of-an-event"})
    except Unfit as error:
        for misfit in error.misfits:
            if misfit.message == UNKNOWN or not _depends(template, misfit.path):
                yield misfit.path, misfit.message


def _depends(template: Any, path: Part) -> bool:  # noqa: ANN401 - walks any JSON
    """Whether the part of a template that a path leads to has expressions in it, or comes of one."""
    for step in path:
        if isinstance(template, str):
            break
        try:
            template = template[step]
        except (KeyError, IndexError, TypeError):
            return False
    return any(True for _ in expressions(template))
