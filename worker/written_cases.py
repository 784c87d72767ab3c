"""Cases files as people write them: as the worker takes them, and with references to files beside them."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, ConfigDict, Discriminator, Field, Tag

from worker.case import Case, CasesFile, Expect, Harness
from worker.model import Blob, BlobFile, CodeBlob, FilePath, InlineCode, InlineFile, Model, kind_of


def _check_beside(path: str) -> str:
    if path.startswith("/") or "\\" in path or ".." in path.split("/"):
        raise ValueError(
            "must lie beside the cases file or below it: no absolute path, no '..', no backslash"
        )
    return path


BesidePath = Annotated[str, Field(min_length=1, max_length=512), AfterValidator(_check_beside)]


class TextFile(Model):
    """The text of a file, by its path from the folder of the cases file."""

    file: BesidePath


class LocalFile(TextFile):
    """A file of the program's folder, from one beside the cases file."""

    path: FilePath


def _written_kind(value: object) -> str:
    fields = value if isinstance(value, dict) else getattr(type(value), "model_fields", {})
    return "<file>" if "file" in fields else kind_of(value)


_KIND = Discriminator(_written_kind)
WrittenText = Annotated[
    Annotated[TextFile, Tag("<file>")] | Annotated[Blob, Tag("<blob>")] | Annotated[str, Tag("<inline>")],
    _KIND,
]
ExpectedText = Annotated[Annotated[TextFile, Tag("<file>")] | Annotated[str, Tag("<inline>")], _KIND]
WrittenCode = Annotated[
    Annotated[TextFile, Tag("<file>")]
    | Annotated[CodeBlob, Tag("<blob>")]
    | Annotated[InlineCode, Tag("<inline>")],
    _KIND,
]
WrittenFile = Annotated[
    Annotated[LocalFile, Tag("<file>")]
    | Annotated[BlobFile, Tag("<blob>")]
    | Annotated[InlineFile, Tag("<inline>")],
    _KIND,
]


class WrittenExpect(Expect):
    """What a case wants of its run."""

    stdout: ExpectedText | None = None  # type: ignore[assignment] # what is written has more forms


class WrittenCase(Case):
    """One run of the program with an expectation; with a harness, one of its tests by its name."""

    stdin: WrittenText | None = None  # type: ignore[assignment] # as above
    files: Annotated[tuple[WrittenFile, ...], Field(max_length=100)] = ()  # type: ignore[assignment] # as above
    expect: WrittenExpect = WrittenExpect()


class WrittenHarness(Harness):
    """A program that loads the submission and tests it."""

    code: WrittenCode  # type: ignore[assignment] # as above


class WrittenCasesFile(CasesFile):
    """A cases file of jsworker: what programs are run with, and what is expected of them."""

    model_config = ConfigDict(title="Cases file of jsworker")

    cases: Annotated[tuple[WrittenCase, ...], Field(max_length=1000)] = ()
    checker: WrittenCode | None = None  # type: ignore[assignment] # as above
    harness: WrittenHarness | None = None
