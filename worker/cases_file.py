"""Reading a cases file: checked, and its cases completed with its defaults."""

from __future__ import annotations

from worker.case import Case, CasesFile
from worker.case_rules import consistent
from worker.comparing import fault_of
from worker.faults import JobRejected
from worker.model import merged, validated
from worker.strict_json import parse_json


def load_cases(data: bytes) -> CasesFile:
    """Read a cases file, JSON in UTF-8; its defaults are filled in.

    Raises:
        JobRejected: ``unsupported_version`` or ``invalid_cases``, with the field at fault.
    """
    try:
        document = parse_json(data.removeprefix(b"\xef\xbb\xbf"), "cases file")
    except JobRejected as rejection:
        raise JobRejected("invalid_cases", rejection.message, "cases") from None
    if not isinstance(document, dict):
        raise JobRejected("invalid_cases", "a cases file is a JSON object", "cases")
    version = document.get("version")
    if version is not None and (type(version) is not int or version != 1):
        message = f"this worker knows cases files of version 1, not {version!r:.40}"
        raise JobRejected("unsupported_version", message, "cases.version")
    return completed(_validated(document))


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


def _validated(document: dict[str, object]) -> CasesFile:
    try:
        return validated(CasesFile, document, "invalid_cases")
    except JobRejected as rejection:
        field = rejection.field or ""
        in_job = field if field.partition(".")[0] == "cases" else f"cases.{field}".rstrip(".")
        raise JobRejected(rejection.code, f"cases file: {rejection.message}", in_job) from None
