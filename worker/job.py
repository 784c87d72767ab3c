"""The job, version 1: the body of a queue message and one line of a manifest file."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Discriminator, Field, Tag, ValidationError

from worker.faults import JobRejected
from worker.names import NAME, check_argument, check_blob, check_name, check_path
from worker.strict_json import parse_json

DEFAULT_BATCH = "default"


Name = Annotated[str, Field(pattern=NAME), AfterValidator(check_name)]
BlobName = Annotated[str, AfterValidator(check_blob)]
FilePath = Annotated[str, Field(min_length=1), AfterValidator(check_path)]
Argument = Annotated[str, AfterValidator(check_argument)]
EnvName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,127}$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Points = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Compare = Literal["exact", "trimmed", "tokens", "numbers", "json", "unordered_lines", "contains", "regex"]


def _kind(value: object) -> str:
    """Which branch of a union a value is meant as, so that an error names one field and not all of them."""
    if isinstance(value, (str, tuple)):
        return "<inline>"
    fields = value if isinstance(value, dict) else getattr(type(value), "model_fields", {})
    return "<blob>" if "blob" in fields else "<inline>"


class Model(BaseModel):
    """Frozen; unknown fields and silent conversions are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


M = TypeVar("M", bound=Model)


class Blob(Model):
    """A blob by ``container/name``."""

    blob: BlobName


class PinnedBlob(Blob):
    """A blob that may be pinned to its ETag: a worker then reads it once for many jobs."""

    etag: str | None = None


class CodeBlob(PinnedBlob):
    """The program as a blob, optionally pinned to its digest or ETag."""

    sha256: Sha256 | None = None


class InlineCode(Model):
    """The program itself."""

    inline: str


class BlobFile(Blob):
    """A file of the program's folder, from a blob."""

    path: FilePath


class InlineFile(Model):
    """A file of the program's folder, given as text."""

    path: FilePath
    inline: str


Code = Annotated[
    Annotated[CodeBlob, Tag("<blob>")] | Annotated[InlineCode, Tag("<inline>")], Discriminator(_kind)
]
File = Annotated[
    Annotated[BlobFile, Tag("<blob>")] | Annotated[InlineFile, Tag("<inline>")], Discriminator(_kind)
]
Text = Annotated[Annotated[Blob, Tag("<blob>")] | Annotated[str, Tag("<inline>")], Discriminator(_kind)]


class Limits(Model):
    """Bounds on each run of the program; what is None takes the worker's default."""

    timeout_seconds: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    memory_mb: Annotated[int, Field(ge=16)] | None = None
    output_bytes: Annotated[int, Field(ge=0)] | None = None


class Expect(Model):
    """What a case wants of its run."""

    stdout: str | None = None
    exit_code: int | None = None


class Case(Model):
    """One run of the program with an expectation; stdin, args and limits it does not set are the job's."""

    name: Annotated[str, Field(min_length=1, max_length=200)]
    stdin: Text | None = None
    args: tuple[Argument, ...] = ()
    expect: Expect = Expect()
    compare: Compare = "trimmed"
    tolerance: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    points: Points = 1
    hidden: bool = False
    limits: Limits = Limits()


CaseList = Annotated[tuple[Case, ...], Field(min_length=1, max_length=1000)]
Cases = Annotated[
    Annotated[PinnedBlob, Tag("<blob>")] | Annotated[CaseList, Tag("<inline>")], Discriminator(_kind)
]


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
    return validated(Job, document, "invalid_job")


def validated(model: type[M], document: object, code: str) -> M:
    """Check a decoded document against a model.

    Raises:
        JobRejected: with the code given, and the first field at fault.
    """
    try:
        return model.model_validate(_tuples(document))
    except ValidationError as error:
        raise _rejection(error, code) from None


def identity(document: object) -> tuple[str | None, str | None]:
    """The id and batch of a job that may be invalid otherwise; None for what cannot be used."""
    fields = document if isinstance(document, dict) else {}
    job_id, batch = (_usable_name(fields.get(key)) for key in ("id", "batch"))
    return job_id, batch


def named(document: object, number: int) -> tuple[str, str]:
    """The id and batch under which a job's result lies.

    A job without a usable id gets the number of its first message for one, so that its result has a place.
    """
    job_id, batch = identity(document)
    return job_id or f"message-{number}", batch or DEFAULT_BATCH


def job_of(body: bytes | None, number: int) -> tuple[str, str]:
    """``named`` for a message's body, whatever is in it."""
    try:
        document = parse_json(body or b"")
    except JobRejected:
        document = None
    return named(document, number)


def _usable_name(value: object) -> str | None:
    is_name = isinstance(value, str) and re.fullmatch(NAME[1:-1], value) and ".." not in value
    return str(value) if is_name else None


_WORDS = {"extra_forbidden": "there is no such field", "tuple_type": "Input should be a list"}


def _rejection(error: ValidationError, code: str) -> JobRejected:
    first = error.errors(include_url=False, include_input=False)[0]
    field = ".".join(str(part) for part in first["loc"] if not str(part).startswith(("<", "[")))
    more = error.error_count() - 1
    also = f" (and {more} more)" if more else ""
    wrong = _WORDS.get(first["type"], first["msg"])
    message = f"{field or 'job'}: {wrong.removeprefix('Value error, ')}{also}"
    return JobRejected(code, message, field or None)


def _tuples(value: Any) -> Any:  # noqa: ANN401 - walks any JSON
    """JSON has lists where the frozen model has tuples, and strict validation tells them apart."""
    if isinstance(value, list):
        return tuple(_tuples(item) for item in value)
    if isinstance(value, dict):
        return {key: item if key == "metadata" else _tuples(item) for key, item in value.items()}
    return value
