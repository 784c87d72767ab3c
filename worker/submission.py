"""What is to be submitted: what was handed in or lines of a manifest, read to be checked and to be sent."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from worker.batch import BatchError, digest
from worker.candidate import Candidate, Given, ManifestLine, Source, Unread, candidate_of
from worker.cases_folder import CasesError
from worker.faults import JobRejected, SubmissionUnusable
from worker.folders import is_archive, is_program
from worker.handed_in import KINDS, Found, HandedIn, Layout, found_in, told, unread
from worker.job import DEFAULT_BATCH, identity, validate_job
from worker.report.text import printable
from worker.setting_groups import MAX_CASES_BYTES
from worker.shared_cases import shared_cases

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from worker.shared_cases import SharedCases

PLAIN = Layout()
_MAX_PROBLEMS = 50
_CLASHES = "nothing was submitted: rename one of each, or have them rejected (--skip-invalid)"
_FOLDERS = "; if not files but folders are the submissions, say so (--each folder)"


def programs(
    paths: Iterable[Path], batch: str, layout: Layout = PLAIN, *, keep_clashes: bool = False
) -> list[Candidate]:
    """The submissions among files and folders, as jobs of a batch, in the order of their names.

    Those that cannot be used are candidates too, with their ``problem``.

    Args:
        paths: submissions, or folders that are searched (but for hidden ones and ``node_modules``).
        batch: the batch they belong to.
        layout: how they lie and what they are called.
        keep_clashes: let several that would be one job have a rejection together, that names all.

    Raises:
        BatchError: there is none, names do not fit the pattern, or two have the same id.
    """
    found = {one.path: one for path in paths for one in _found(path, layout)}
    by_id: dict[str, list[HandedIn]] = {}
    for one in _named(list(found.values()), batch, layout):
        by_id.setdefault(one.id, []).append(one)
    clashes = [told(same, paths=True) for same in by_id.values() if len(same) > 1]
    if clashes and not keep_clashes:
        raise BatchError(_listed(_CLASHES + (_FOLDERS if layout.each == "file" else ""), clashes))
    return [_handed_in(same, batch) for same in by_id.values()]


def manifest(path: Path, batch: str | None = None, *, keep_invalid: bool = False) -> list[Candidate]:
    """The jobs of a manifest, all lines checked.

    Args:
        path: a file of JSON Lines.
        batch: overrides the jobs' own.
        keep_invalid: take jobs that are invalid but have a usable id, so that the worker's rejection stands
            as their result.

    Raises:
        BatchError: with a line for each problem.
    """
    candidates, problems = _all_checked("line", _lines(path, batch), keep_invalid=keep_invalid)
    if problems:
        raise BatchError(_listed(f"nothing was submitted, since {path} has lines that are no jobs", problems))
    if not candidates:
        raise BatchError(
            f"{path} has no jobs: a manifest is JSON Lines, one job a line (jsworker schema job)"
        )
    return candidates


def documents(jobs: Iterable[Mapping[str, Any]], batch: str) -> list[Candidate]:
    """Jobs that are at hand, all of them checked; they are all of this batch.

    Raises:
        BatchError: there is none, or with a line for each problem.
    """
    sources = enumerate((Given(document, batch) for document in jobs), start=1)
    candidates, problems = _all_checked("job", sources, keep_invalid=False)
    if problems:
        raise BatchError(_listed("nothing was submitted, since there are jobs that cannot be used", problems))
    if not candidates:
        raise BatchError("there are no jobs to submit")
    return candidates


def with_cases(candidates: Iterable[Candidate], path: Path, limit: int = MAX_CASES_BYTES) -> list[Candidate]:
    """The same jobs, with the cases of a file or folder for those that have none.

    Raises:
        BatchError: the cases cannot be used; ``limit`` is how many bytes they may have.
    """
    try:
        return given(candidates, shared_cases(path, limit))
    except CasesError as error:
        raise BatchError(str(error)) from None


def given(candidates: Iterable[Candidate], cases: SharedCases) -> list[Candidate]:
    """The same jobs, with these cases for those that have none."""
    return [_given(candidate, cases) for candidate in candidates]


def _given(candidate: Candidate, cases: SharedCases) -> Candidate:
    document, _ = candidate.load()
    entry = replace(candidate.entry, digest=digest(cases.given_to(document, candidate.batch)))
    return replace(candidate, entry=entry, cases=cases)


def _found(path: Path, layout: Layout) -> list[Found]:
    if not (path.is_dir() or is_program(path.name) or is_archive(path.name)):
        raise BatchError(f"{path} is no program: {KINDS}")
    try:
        found = list(found_in(path, layout))
    except SubmissionUnusable as error:
        raise BatchError(f"{path} cannot be searched: {error}") from None
    if not found:
        raise BatchError(f"there are no programs in {path}: {KINDS}")
    return found


def _named(found: Sequence[Found], batch: str, layout: Layout) -> list[HandedIn]:
    students = [(one, one.student(layout.student)) for one in found]
    named = [HandedIn(one, batch, student, layout.entry) for one, student in students if student is not None]
    if layout.student and len(named) < len(found):
        others = [str(one.path) for one, student in students if student is None]
        fitting = f"nothing was submitted, since names do not look like {layout.student.text!r}"
        raise BatchError(_listed(fitting, others))
    return named


def _handed_in(same: Sequence[HandedIn], batch: str) -> Candidate:
    """The job of a submission; of several that would be the same, a rejection that names them."""
    one, problem = same[0], told(same, paths=False)
    if len(same) == 1:
        try:
            return candidate_of(one, batch)
        except SubmissionUnusable as error:
            problem = str(error)
    students = ", ".join(dict.fromkeys(other.student for other in same))
    return replace(candidate_of(Unread(unread(one.id, batch, students)), batch), problem=problem)


def _lines(path: Path, batch: str | None) -> Iterator[tuple[int, ManifestLine]]:
    offset = 0
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if line.strip(b"\xef\xbb\xbf \t\r\n"):
                yield number, ManifestLine(path, offset, len(line), batch)
            offset += len(line)


def _all_checked(
    what: str, sources: Iterable[tuple[int, Source]], *, keep_invalid: bool
) -> tuple[list[Candidate], list[str]]:
    """The jobs of numbered sources, and what is wrong with those that cannot be used."""
    candidates: dict[tuple[str, str], tuple[int, Candidate]] = {}
    problems = []
    for number, source in sources:
        try:
            candidate = _checked(source, keep_invalid=keep_invalid)
        except JobRejected as error:
            problems.append(f"{what} {number}: {error.message}")
            continue
        first, _ = candidates.setdefault((candidate.batch, candidate.entry.id), (number, candidate))
        if first != number:
            problems.append(
                f"{what} {number}: id: {candidate.entry.id!r} is the id of {what} {first} already"
            )
    return [candidate for _, candidate in candidates.values()], problems


def _checked(source: Source, *, keep_invalid: bool) -> Candidate:
    document, _ = source.load()
    try:
        validate_job(document)
    except JobRejected:
        if not keep_invalid or identity(document)[0] is None:
            raise
    return candidate_of(source, identity(document)[1] or DEFAULT_BATCH)


def _listed(what: str, lines: Sequence[str]) -> str:
    shown = [f"  {printable(line)}" for line in lines[:_MAX_PROBLEMS]]
    more = [f"  … and {len(lines) - _MAX_PROBLEMS} more"] if len(lines) > _MAX_PROBLEMS else []
    return "\n".join([f"{what}:", *shown, *more])
