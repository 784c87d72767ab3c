"""The job, version 1: the body of a queue message and one line of a manifest file."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from typing import Annotated, Any, Literal, NoReturn, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Discriminator, Field, Tag, ValidationError

from worker.faults import JobRejected

NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$"
DEFAULT_BATCH = "default"
MAX_DEPTH = 100  # of a document; what is nested deeper than 255 levels could not be written into a result
_LONE_SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")


def check_name(name: str) -> str:
    """Refuse ``..`` in what becomes a segment of a blob's name."""
    if ".." in name:
        raise ValueError("must not contain '..'")
    return name


def check_blob(path: str) -> str:
    """Refuse names that a storage client or server would resolve to another blob than the one written.

    The blob SDK sends ``container/../other/x`` to the container ``other``.
    """
    container, _, name = path.partition("/")
    if not re.fullmatch(r"[a-z0-9](?:-?[a-z0-9]){2,62}", container) or not name:
        raise ValueError("must be 'container/name'")
    if len(name) > 1024 or len(name.split("/")) > 254:  # noqa: PLR2004 - limits of Blob storage
        raise ValueError("the blob's name is too long")
    if any(segment in {"", ".", ".."} or segment.endswith(".") for segment in name.split("/")):
        raise ValueError("must not have empty, '.' or '..' segments, nor segments that end with a dot")
    if "\\" in name or not name.isprintable():
        raise ValueError("must not contain backslashes or control characters")
    return path


def check_path(path: str) -> str:
    """Refuse paths that leave the program's folder."""
    if any(segment in {"", ".", ".."} for segment in path.split("/")):
        raise ValueError("must be relative, without empty, '.' or '..' segments")
    if "\\" in path or "\0" in path or len(path.encode("utf-8", "replace")) > 512:  # noqa: PLR2004 - well under PATH_MAX
        raise ValueError("must not contain backslashes or NUL, nor be longer than 512 bytes")
    return path


def check_argument(value: str) -> str:
    """Refuse what no process can be given."""
    if "\0" in value:
        raise ValueError("must not contain NUL")
    return value


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


def parse_json(body: bytes, what: str = "message") -> Any:  # noqa: ANN401 - JSON is what it is
    """Decode UTF-8 JSON strictly: no duplicate keys, nor numbers that are not finite, nor depth without end.

    Lone surrogates become U+FFFD, so that all of the document can be written again.

    Raises:
        JobRejected: ``invalid_json``, with what is wrong and where.
    """
    try:
        text = body.decode()
        document = json.loads(
            text,
            object_pairs_hook=_unique_keys,
            parse_constant=_refuse_constant,
            parse_float=_finite,
        )
        _check_depth(document, MAX_DEPTH)
    except RecursionError:
        raise JobRejected("invalid_json", f"the {what} is nested too deeply") from None
    except ValueError as error:
        raise JobRejected("invalid_json", f"the {what} is not valid JSON: {error}") from None
    return _mend(document) if _LONE_SURROGATE_ESCAPE.search(text) else document


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


def to_bytes(text: str) -> bytes:
    """UTF-8 as Node writes it: a lone surrogate becomes U+FFFD."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()


def _usable_name(value: object) -> str | None:
    is_name = isinstance(value, str) and re.fullmatch(NAME[1:-1], value) and ".." not in value
    return str(value) if is_name else None


def _rejection(error: ValidationError, code: str) -> JobRejected:
    first = error.errors(include_url=False, include_input=False)[0]
    field = ".".join(str(part) for part in first["loc"] if not str(part).startswith(("<", "[")))
    more = error.error_count() - 1
    also = f" (and {more} more)" if more else ""
    wrong = "there is no such field" if first["type"] == "extra_forbidden" else first["msg"]
    message = f"{field or 'job'}: {wrong.removeprefix('Value error, ')}{also}"
    return JobRejected(code, message, field or None)


def _tuples(value: Any) -> Any:  # noqa: ANN401 - walks any JSON
    """JSON has lists where the frozen model has tuples, and strict validation tells them apart."""
    if isinstance(value, list):
        return tuple(_tuples(item) for item in value)
    if isinstance(value, dict):
        return {key: item if key == "metadata" else _tuples(item) for key, item in value.items()}
    return value


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        ((key, _),) = Counter(key for key, _ in pairs).most_common(1)
        raise ValueError(f"the key {key!r:.100} is there twice")
    return document


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"the number {text:.40} is too large")
    return number


def _check_depth(value: object, left: int) -> None:
    if not left:
        raise RecursionError
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _check_depth(inner, left - 1)


def _mend(value: Any) -> Any:  # noqa: ANN401 - walks any JSON
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_mend(item) for item in value]
    if isinstance(value, dict):
        return {_mend(key): _mend(item) for key, item in value.items()}
    return value
