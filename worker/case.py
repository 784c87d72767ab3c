"""Cases: runs of a program with expectations, alone or as a cases file."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag

from worker.model import Argument, Code, File, FilePath, Limits, Model, PinnedBlob, Text, kind_of

Points = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Compare = Literal[
    "exact", "trimmed", "tokens", "numbers", "json", "unordered_lines", "contains", "regex", "checker"
]


class Expect(Model):
    """What a case wants of its run."""

    stdout: str | None = None
    exit_code: int | None = None


class Case(Model):
    """One run of the program with an expectation; stdin, args and limits it does not set are the job's.

    With a harness, one of the tests that it reports, by its name.
    """

    name: Annotated[str, Field(min_length=1, max_length=200)]
    stdin: Text | None = None
    args: tuple[Argument, ...] = ()
    files: Annotated[tuple[File, ...], Field(max_length=100)] = ()
    expect: Expect = Expect()
    compare: Compare = "trimmed"
    tolerance: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    points: Points = 1
    hidden: bool = False
    limits: Limits = Limits()


CaseList = Annotated[tuple[Case, ...], Field(min_length=1, max_length=1000)]


class Harness(Model):
    """A program that loads the submission and tests it.

    ``style`` is how it reports: ``node-test`` by the tests of ``node:test``, ``json`` as a list of
    ``{"name", "ok", "message"}``. The submission lies beside it under the name ``submission``.
    """

    code: Code
    style: Literal["node-test", "json"] = "node-test"
    submission: FilePath = "submission.js"


class CasesFile(Model):
    """A cases file, version 1.

    ``limits``, ``compare``, ``tolerance`` and ``points`` are defaults for its cases. ``checker`` is the
    program that judges the cases with ``compare: checker``. With a ``harness`` the cases name its tests, and
    may be left out.
    """

    version: Literal[1]
    cases: Annotated[tuple[Case, ...], Field(max_length=1000)] = ()
    limits: Limits = Limits()
    compare: Compare = "trimmed"
    tolerance: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    points: Points = 1
    stop_at_first_failure: bool = False
    checker: Code | None = None
    harness: Harness | None = None


class InlineCases(Model):
    """A whole cases file in the job."""

    inline: CasesFile


def _cases_kind(value: object) -> str:
    fields = value if isinstance(value, dict) else getattr(type(value), "model_fields", {})
    return "<file>" if "inline" in fields else kind_of(value)


Cases = Annotated[
    Annotated[PinnedBlob, Tag("<blob>")]
    | Annotated[InlineCases, Tag("<file>")]
    | Annotated[CaseList, Tag("<inline>")],
    Discriminator(_cases_kind),
]
