"""What the models of jobs and cases are made of: strict, frozen, and refused with the field at fault."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Discriminator, Field, Tag, ValidationError

from worker.faults import JobRejected
from worker.names import check_argument, check_blob, check_path

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

BlobName = Annotated[str, AfterValidator(check_blob)]
FilePath = Annotated[str, Field(min_length=1), AfterValidator(check_path)]
Argument = Annotated[str, AfterValidator(check_argument)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


def kind_of(value: object) -> str:
    """Which branch of a union a value is meant as, so that an error names one field and not all of them."""
    if isinstance(value, (str, tuple)):
        return "<inline>"
    fields = value if isinstance(value, dict) else getattr(type(value), "model_fields", {})
    return "<blob>" if "blob" in fields else "<inline>"


class Model(BaseModel):
    """Frozen; unknown fields and silent conversions are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


M = TypeVar("M", bound=Model)


@dataclass(frozen=True)
class Misfit:
    """A part of a document that its model refuses, by the keys and indices that lead to it."""

    path: tuple[int | str, ...]
    message: str


class Unfit(Exception):
    """A document is none of the model, with all that does not fit."""

    def __init__(self, misfits: list[Misfit]) -> None:
        super().__init__(misfits)
        self.misfits = misfits


class Blob(Model):
    """A blob by ``container/name``."""

    blob: BlobName


class PinnedBlob(Blob):
    """A blob that may be pinned to its ETag: a worker then reads it once for many jobs."""

    etag: str | None = None


class CodeBlob(PinnedBlob):
    """The program as a blob, optionally pinned to its digest or ETag.

    ``path`` is where it lies in the program's folder; it is main.js, main.mjs or main.cjs there when None.
    """

    sha256: Sha256 | None = None
    path: FilePath | None = None


class InlineCode(Model):
    """The program itself; ``path`` as of ``CodeBlob``."""

    inline: str
    path: FilePath | None = None


class BlobFile(Blob):
    """A file of the program's folder, from a blob."""

    path: FilePath


class InlineFile(Model):
    """A file of the program's folder, given as text."""

    path: FilePath
    inline: str


Code = Annotated[
    Annotated[CodeBlob, Tag("<blob>")] | Annotated[InlineCode, Tag("<inline>")], Discriminator(kind_of)
]
File = Annotated[
    Annotated[BlobFile, Tag("<blob>")] | Annotated[InlineFile, Tag("<inline>")], Discriminator(kind_of)
]
Text = Annotated[Annotated[Blob, Tag("<blob>")] | Annotated[str, Tag("<inline>")], Discriminator(kind_of)]


class Limits(Model):
    """Bounds on each run of the program; what is None takes the worker's default."""

    timeout_seconds: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    memory_mb: Annotated[int, Field(ge=16)] | None = None
    output_bytes: Annotated[int, Field(ge=0)] | None = None


def validated(model: type[M], document: object, code: str) -> M:
    """Check a decoded document against a model.

    Raises:
        JobRejected: with the code given, and the first field at fault.
    """
    try:
        return checked_against(model, document)
    except Unfit as error:
        raise _rejection(error.misfits, code) from None


def checked_against(model: type[M], document: object) -> M:
    """A decoded document as the model.

    Raises:
        Unfit: it is none.
    """
    try:
        return model.model_validate(_tuples(document))
    except ValidationError as error:
        raise Unfit([_misfit(details) for details in error.errors(include_url=False)]) from None


def merged(defaults: Limits, own: Limits) -> Limits:
    """Limits, with defaults for those that are not given."""
    return defaults.model_copy(update=own.model_dump(exclude_none=True))


UNKNOWN = "there is no such field"
_WORDS = {"extra_forbidden": UNKNOWN, "tuple_type": "Input should be a list"}


def _misfit(details: ErrorDetails) -> Misfit:
    path = tuple(part for part in details["loc"] if not str(part).startswith(("<", "[")))
    wrong = _WORDS.get(details["type"], details["msg"]).removeprefix("Value error, ")
    is_plain = isinstance(details["input"], (bool, int, float))
    advice = f': write it in quotes, as "{json.dumps(details["input"])}"'
    return Misfit(path, wrong + (advice if details["type"] == "string_type" and is_plain else ""))


def _rejection(misfits: list[Misfit], code: str) -> JobRejected:
    field = ".".join(str(part) for part in misfits[0].path)
    also = f" (and {len(misfits) - 1} more)" if len(misfits) > 1 else ""
    return JobRejected(code, f"{field or 'job'}: {misfits[0].message}{also}", field or None)


def _tuples(value: Any) -> Any:  # noqa: ANN401 - walks any JSON
    """JSON has lists where the frozen model has tuples, and strict validation tells them apart."""
    if isinstance(value, list):
        return tuple(_tuples(item) for item in value)
    if isinstance(value, dict):
        return {key: item if key == "metadata" else _tuples(item) for key, item in value.items()}
    return value
