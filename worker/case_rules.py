"""What must hold between the parts of a cases file."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from worker.faults import JobRejected

if TYPE_CHECKING:
    from worker.case import Case, CasesFile

OF_A_TEST = {"name", "points", "hidden"}
MAIN_FILES = ("main.js", "main.mjs", "main.cjs")


def consistent(file: CasesFile) -> CasesFile:
    """The file as it was read, before its defaults are filled in, whose parts fit together.

    Raises:
        JobRejected: ``invalid_cases``, with the field at fault.
    """
    if file.harness is not None:
        _check_harness(file, file.harness.submission)
    judged = [index for index, case in enumerate(file.cases) if _compare(file, case) == "checker"]
    if judged and file.checker is None:
        raise _rejected(f"cases.{judged[0]}.compare", "there is no checker in the cases file")
    if file.checker is not None and not judged:
        raise _rejected("cases.checker", "no case has 'compare: checker'")
    return file


def _compare(file: CasesFile, case: Case) -> str:
    return case.compare if "compare" in case.model_fields_set else file.compare


def _check_harness(file: CasesFile, submission: str) -> None:
    if file.checker is not None:
        raise _rejected("cases.checker", "a harness judges its tests itself")
    if file.stop_at_first_failure:
        raise _rejected("cases.stop_at_first_failure", "a harness is one run, which does not stop")
    if submission in (*MAIN_FILES, file.harness and file.harness.code.path):
        raise _rejected("cases.harness.submission", f"{submission} is the name of the harness itself")
    for index, case in enumerate(file.cases):
        if foreign := sorted(case.model_fields_set - OF_A_TEST):
            raise _rejected(
                f"cases.{index}.{foreign[0]}", "a test of a harness has a name, points and hidden"
            )
    names = Counter(case.name for case in file.cases)
    for index, case in enumerate(file.cases):
        if names[case.name] > 1:
            raise _rejected(f"cases.{index}.name", f"there are {names[case.name]} tests of this name")


def _rejected(field: str, fault: str) -> JobRejected:
    return JobRejected("invalid_cases", f"{field}: {fault}", field)
