"""The job, version 1: the body of a queue message and one line of a manifest file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, Field

from worker.case import Cases  # noqa: TC001 - pydantic reads it when the model is made
from worker.destinations import ReplyTo  # noqa: TC001 - pydantic reads it when the model is made
from worker.envelope import PLAIN, Envelope, document_of
from worker.events import is_event
from worker.faults import JobRejected
from worker.filling import Wrong, expressions
from worker.model import (
    Argument,
    Code,
    File,
    FilePath,
    Limits,
    Model,
    Text,
    Unfit,
    checked_against,
    validated,
)
from worker.names import NAME, check_name
from worker.steps import OWN_FIELDS, Placed, Steps, check_structure, with_sources
from worker.strict_json import parse_json
from worker.trigger import Trigger

if TYPE_CHECKING:
    from collections.abc import Iterator

DEFAULT_BATCH = "default"


Name = Annotated[str, Field(pattern=NAME), AfterValidator(check_name)]
EnvName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,127}$")]


class Session(Model):
    """Which session a job may run in: one of its own, one per key, or any."""

    policy: Literal["fresh", "keyed", "shared"] | None = None
    key: Annotated[str, Field(min_length=1, max_length=200)] | None = None


class Job(Model):
    """One program to run, as in the published schema (``jsworker schema job``)."""

    version: Literal[1]
    id: Name
    batch: Name = DEFAULT_BATCH
    code: Code
    mode: Literal["program", "cell"] = "program"
    files: Annotated[tuple[File, ...], Field(max_length=100)] = ()
    args: Annotated[tuple[Argument, ...], Field(max_length=1000)] = ()
    stdin: Text | None = None
    env: dict[EnvName, Argument] = Field(default_factory=dict, max_length=200)
    limits: Limits = Limits()
    cases: Cases | None = None
    collect: Annotated[tuple[FilePath, ...], Field(max_length=100)] = ()
    session: Session = Session()
    reply_to: ReplyTo = ()
    trigger: Trigger | None = None
    then: Steps = ()
    metadata: dict[str, Any] = Field(default_factory=dict)


def parse_job(body: bytes) -> Job:
    """Read a job from a message's body.

    Raises:
        JobRejected: ``invalid_json``, ``invalid_job`` or ``unsupported_version``, with the field at fault.
    """
    return validate_job(parse_json(body))


def validate_job(document: object) -> Job:
    """Check a decoded document against the model; raises as ``parse_job`` does."""
    if not isinstance(document, dict):
        raise JobRejected("invalid_job", "a job is a JSON object")
    version = document.get("version", 1)
    if type(version) is not int or version != 1:
        raise JobRejected(
            "unsupported_version", f"this worker knows version 1, not {version!r:.40}", "version"
        )
    job = validated(Job, document, "invalid_job")
    for wrong in check_steps(document.get("then", [])):
        where = ".".join(map(str, ("then", *wrong.path)))
        raise JobRejected("invalid_job", f"{where}: {wrong.message}", where)
    return job


def check_steps(document: object) -> list[Wrong]:
    """What is wrong with a decoded ``then``, whatever the job before it comes to; paths begin in the list."""
    found: list[Placed] = []
    wrong = list(check_structure(document, found))
    return wrong or [each for placed in found for each in _no_job(placed)]


def _no_job(placed: Placed) -> Iterator[Wrong]:
    """What of a template could be no job's: of the fields that are the same whatever they are filled with."""
    for name in placed.template.keys() & OWN_FIELDS:
        yield Wrong((*placed.path, name), "is the worker's to give")
    if "code" not in placed.template:
        yield Wrong((*placed.path, "code"), "Field required")
    known = {
        name: value
        for name, value in placed.template.items()
        if name != "then" and name not in OWN_FIELDS and not any(expressions(value))
    }
    trial = {"version": 1, "id": "x", "code": {"inline": ""}, **known}
    try:
        checked_against(Job, with_sources(trial, lambda _: {"blob": "inputs/x"}))
    except Unfit as error:
        yield from (Wrong((*placed.path, *misfit.path), misfit.message) for misfit in error.misfits)


def identity(document: object) -> tuple[str | None, str | None]:
    """The id and batch of a job that may be invalid otherwise; None for what cannot be used.

    An event's id is no job's.
    """
    fields = document if isinstance(document, dict) and not is_event(document) else {}
    job_id, batch = (_usable_name(fields.get(key)) for key in ("id", "batch"))
    return job_id, batch


def named(document: object, number: int) -> tuple[str, str]:
    """The id and batch under which a job's result lies.

    A job without a usable id gets the number of its first message for one, so that its result has a place,
    and so does a message with events.
    """
    job_id, batch = identity(document)
    kind = "event" if is_event(document) else "message"
    return job_id or f"{kind}-{number}", batch or DEFAULT_BATCH


@dataclass(frozen=True)
class Carried:
    """What the result of a job takes over from it, be the job valid otherwise or not."""

    metadata: dict[str, Any]
    trigger: Trigger | None


def carried(document: object) -> Carried:
    """What can be used of a job's document, whatever it is."""
    fields = document if isinstance(document, dict) else {}
    metadata, trigger = fields.get("metadata"), fields.get("trigger")
    try:
        made_by = checked_against(Trigger, trigger) if isinstance(trigger, dict) else None
    except Unfit:
        made_by = None
    return Carried(metadata if isinstance(metadata, dict) else {}, made_by)


def job_of(body: bytes | None, number: int, envelope: Envelope = PLAIN) -> tuple[str, str]:
    """``named`` for a message, whatever is in it."""
    try:
        document = document_of(body, envelope)
    except JobRejected:
        document = None
    return named(document, number)


def _usable_name(value: object) -> str | None:
    is_name = isinstance(value, str) and re.fullmatch(NAME[1:-1], value) and ".." not in value
    return str(value) if is_name else None
