"""The steps after a job, as its ``then`` has them: templates of jobs, given what the job before left.

Beside what any job takes, a template's ``files``, ``stdin`` and ``code`` take ``{"from": …}``: ``stdout``,
``result`` (the document) or ``result/PATH`` (a collected file) of the job before, and in a ``join`` the
``results`` of the fan-out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from worker.filling import MOST_EXPRESSION, Wrong, expressions, mistakes, no_expression
from worker.model import Model, Unfit, checked_against
from worker.names import check_path
from worker.trigger import StepName  # noqa: TC001 - pydantic reads it when the model is made

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from worker.filling import Path

MOST_STEPS = 10
MOST_JOBS = 100  # templates of one ``then``, with all that is nested in it
MOST_NESTING = 16
COLLECTED = "result/"
OWN_FIELDS = frozenset({"version", "id", "trigger"})  # what the worker gives to a job that it makes
Template = dict[str, Any]


class Step(Model):
    """A job to run after another, or one for each item of a list, and one when all of these have ended."""

    name: StepName
    on: Literal["succeeded", "failed", "ended"] = "succeeded"
    job: Template
    each: Annotated[str, Field(min_length=1, max_length=MOST_EXPRESSION)] | None = None
    join: Template | None = None


Steps = Annotated[tuple[Step, ...], Field(max_length=MOST_STEPS)]


class _Then(Model):
    then: Steps


@dataclass(frozen=True)
class Placed:
    """A template of a ``then`` and where it stands."""

    path: Path
    template: Template


def steps_of(document: object) -> tuple[Step, ...]:
    """A decoded ``then``.

    Raises:
        Unfit: it is no list of steps; the paths of the misfits begin with ``then``.
    """
    return checked_against(_Then, {"then": document}).then


def check_structure(document: object, found: list[Placed], path: Path = ()) -> Iterator[Wrong]:
    """What is wrong with steps but for what their templates have of a job; those are put into ``found``."""
    if len(path) // 3 >= MOST_NESTING:
        yield Wrong(path, f"steps are nested over {MOST_NESTING} deep")
        return
    try:
        steps = steps_of(document)
    except Unfit as error:
        yield from (Wrong((*path, *misfit.path[1:]), misfit.message) for misfit in error.misfits)
        return
    names = [step.name for step in steps]
    for index, step in enumerate(steps):
        at = (*path, index)
        if step.name in names[:index]:
            yield Wrong((*at, "name"), f"another step is called {step.name!r} too")
        yield from _of_step(step, found, at)


def _of_step(step: Step, found: list[Placed], at: Path) -> Iterator[Wrong]:
    if step.each is not None and (message := no_expression(step.each)):
        yield Wrong((*at, "each"), message)
    if step.join is not None and step.each is None:
        yield Wrong((*at, "join"), "there is nothing to join without 'each'")
    yield from _of_template(Placed((*at, "job"), step.job), found, joins=False)
    if step.join is not None:
        yield from _of_template(Placed((*at, "join"), step.join), found, joins=True)


def _of_template(placed: Placed, found: list[Placed], *, joins: bool) -> Iterator[Wrong]:
    found.append(placed)
    if len(found) > MOST_JOBS:
        if len(found) == MOST_JOBS + 1:
            yield Wrong((), f"there are over {MOST_JOBS} jobs in the steps")
        return
    own = {name: value for name, value in placed.template.items() if name != "then"}
    for wrong in mistakes(own):
        yield Wrong((*placed.path, *wrong.path), wrong.message)
    for path, source in sources(own):
        if message := _no_source(source, joins=joins):
            yield Wrong((*placed.path, *path), message)
    if "then" in placed.template:
        yield from check_structure(placed.template["then"], found, (*placed.path, "then"))


def _no_source(source: str, *, joins: bool) -> str | None:
    if any(expressions(source)) or source in {"stdout", "result"} or (joins and source == "results"):
        return None
    if source.startswith(COLLECTED):
        try:
            check_path(source.removeprefix(COLLECTED))
        except ValueError as error:
            return str(error)
        return None
    also = "; 'results' is for a join" if source == "results" else ""
    return f"must be 'stdout', 'result' or 'result/PATH', not {source!r:.100}{also}"


def sources(template: Mapping[str, Any]) -> Iterator[tuple[Path, str]]:
    """What a template takes ``from`` the job before, and where."""
    for field in ("code", "stdin"):
        match template.get(field):
            case {"from": str(source)}:
                yield (field, "from"), source
    for index, file in enumerate(_files(template)):
        match file:
            case {"from": str(source)}:
                yield ("files", index, "from"), source


def with_sources(template: Mapping[str, Any], place: Callable[[str], dict[str, str]]) -> Template:
    """The template with a reference (``{"blob": …}`` or ``{"inline": …}``) where it has a ``from``."""
    given = dict(template)
    match template.get("code"):
        case {"from": str(source), **rest} if rest.keys() <= {"path"}:
            given["code"] = {**rest, **place(source)}
    match template.get("stdin"):
        case {"from": str(source), **rest} if not rest:
            reference: dict[str, Any] = dict(place(source))
            given["stdin"] = reference.get("inline", reference)
    if any("from" in file for file in _files(template) if isinstance(file, dict)):
        given["files"] = [_with_source(file, place) for file in _files(template)]
    return given


def _with_source(file: object, place: Callable[[str], dict[str, str]]) -> object:
    match file:
        case {"path": path, "from": str(source), **rest} if not rest:
            return {"path": path, **place(source)}
    return file


def _files(template: Mapping[str, Any]) -> list[Any] | tuple[Any, ...]:
    files = template.get("files")
    return files if isinstance(files, list | tuple) else ()
