"""Reading a cases file: checked, and its cases completed with its defaults."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from worker.case import Case, CasesFile
from worker.case_rules import consistent
from worker.cases_document import InvalidCases, read_document
from worker.comparing import fault_of
from worker.faults import JobRejected
from worker.model import M, Unfit, checked_against, merged

if TYPE_CHECKING:
    from worker.cases_document import Document
    from worker.places import Path


KEPT = 8  # files that were read last: one of 1,000 cases takes 0.1 s to read, and many jobs have it


@lru_cache(KEPT)
def load_cases(data: bytes) -> CasesFile:
    """Read a cases file, JSON or YAML in UTF-8; its defaults are filled in.

    Raises:
        InvalidCases: ``unsupported_version`` or ``invalid_cases``, with the fields at fault and their lines.
    """
    return load_document(read_document(data))


def load_document(document: Document) -> CasesFile:
    """The same for a document that is read already."""
    file = fitting(CasesFile, document)
    try:
        return completed(file)
    except JobRejected as rejection:
        path = _path(rejection.field or "")
        message = rejection.message.removeprefix(f"{rejection.field}: ")
        raise InvalidCases([document.problem(path, message)]) from None


def fitting(model: type[M], document: Document) -> M:
    """A document as a model of cases files; raises as ``load_cases`` does."""
    fields = document.value
    if not isinstance(fields, dict):
        raise InvalidCases([document.problem((), "a cases file is an object with version and cases")])
    version = fields.get("version")
    if version is not None and (type(version) is not int or version != 1):
        message = f"cases files of version 1 are known, not {version!r:.40}"
        raise InvalidCases([document.problem(("version",), message)], "unsupported_version")
    try:
        return checked_against(model, fields)
    except Unfit as error:
        problems = [document.problem(misfit.path, misfit.message) for misfit in error.misfits]
        raise InvalidCases(problems) from None


def checked(cases: tuple[Case, ...]) -> tuple[Case, ...]:
    """The cases, whose expectations can all be compared with.

    Raises:
        JobRejected: ``invalid_cases``: one cannot.
    """
    for index, case in enumerate(cases):
        fault = fault_of(case.compare, case.expect.stdout or "") if case.expect.stdout is not None else None
        if fault:
            field = f"cases.{index}.expect.stdout"
            raise JobRejected("invalid_cases", f"{field}: {fault}", field)
    return cases


def completed(file: CasesFile) -> CasesFile:
    """The file with its defaults filled in at its cases.

    Raises:
        JobRejected: ``invalid_cases``: there is none, or one cannot be compared with, or they do not fit
            the rest of the file.
    """
    if not file.cases and file.harness is None:
        raise JobRejected("invalid_cases", "without a harness there is at least one case", "cases")
    consistent(file)
    defaults = {"compare": file.compare, "points": file.points, "tolerance": file.tolerance}
    cases = tuple(
        case.model_copy(
            update={
                **{name: value for name, value in defaults.items() if name not in case.model_fields_set},
                "limits": merged(file.limits, case.limits),
            }
        )
        for case in file.cases
    )
    return file.model_copy(update={"cases": checked(cases)})


def _path(field: str) -> Path:
    """The path in a cases file of a field that a job is told by; the reverse of ``in_job``."""
    path = tuple(int(part) if part.isdigit() else part for part in field.split(".") if part)
    return path[1:] if len(path) > 1 and isinstance(path[1], str) else path
