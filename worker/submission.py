"""What is to be submitted: what was handed in or lines of a manifest, read to be checked and to be sent."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from worker.batch import BatchError, Entry, digest
from worker.faults import JobRejected, SubmissionUnusable
from worker.folders import is_archive, is_program
from worker.handed_in import KINDS, Found, HandedIn, Layout, found_in, told, unread
from worker.job import DEFAULT_BATCH, identity, validate_job
from worker.names import printable
from worker.shared_cases import shared_cases
from worker.strict_json import parse_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from worker.shared_cases import SharedCases

PLAIN = Layout()
_MAX_PROBLEMS = 50
_CLASHES = "nothing was submitted: rename one of each, or have them rejected (--skip-invalid)"
_FOLDERS = "; if not files but folders are the submissions, say so (--each folder)"


class Source(Protocol):
    """Where a job is read from."""

    def load(self) -> tuple[dict[str, Any], dict[str, bytes]]:
        """The job, and the blobs that are to be uploaded for it; raises ``SubmissionUnusable``."""


@dataclass(frozen=True)
class Candidate:
    """One job to be: what the manifest says of it, and where to read it when its turn comes.

    Attributes:
        problem: why it cannot be used, for its owner: it gets a rejection for its result and is not sent.
    """

    batch: str
    entry: Entry
    source: Source
    cases: SharedCases | None = None
    problem: str | None = None

    def load(self) -> tuple[dict[str, Any], dict[str, bytes]]:
        """The job, and the blobs that are to be uploaded for it.

        Raises:
            BatchError: it is not what it was when it was checked.
        """
        changed = f"{self.entry.id} changed while it was being submitted: submit again"
        try:
            document, blobs = self.source.load()
        except SubmissionUnusable:
            raise BatchError(changed) from None
        if self.cases:
            document = self.cases.given_to(document, self.batch)
        if digest(document) != self.entry.digest:
            raise BatchError(changed)
        return document, blobs


@dataclass(frozen=True)
class Unread:
    """A submission that cannot be used: a job with nothing to run."""

    document: dict[str, Any]

    def load(self) -> tuple[dict[str, Any], dict[str, bytes]]:
        """The job as far as it goes."""
        return self.document, {}


@dataclass(frozen=True)
class ManifestLine:
    """A line of a manifest file, by its place; ``batch`` overrides the job's own."""

    path: Path
    offset: int
    length: int
    batch: str | None

    def load(self) -> tuple[dict[str, Any], dict[str, bytes]]:
        """The job as it stands there."""
        with self.path.open("rb") as file:
            file.seek(self.offset)
            return _document(file.read(self.length), self.batch), {}


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
    candidates: dict[tuple[str, str], tuple[int, Candidate]] = {}
    problems = []
    for number, source in _lines(path, batch):
        try:
            candidate = _checked(source, keep_invalid=keep_invalid)
        except JobRejected as error:
            problems.append(f"line {number}: {error.message}")
            continue
        first, _ = candidates.setdefault((candidate.batch, candidate.entry.id), (number, candidate))
        if first != number:
            problems.append(f"line {number}: id: {candidate.entry.id!r} is the id of line {first} already")
    if problems:
        raise BatchError(_listed(f"nothing was submitted, since {path} has lines that are no jobs", problems))
    if not candidates:
        raise BatchError(
            f"{path} has no jobs: a manifest is JSON Lines, one job a line (jsworker schema job)"
        )
    return [candidate for _, candidate in candidates.values()]


def with_cases(candidates: Iterable[Candidate], path: Path) -> list[Candidate]:
    """The same jobs, with the cases of a file for those that have none.

    Raises:
        BatchError: it is no cases file.
    """
    try:
        cases = shared_cases(path.read_bytes())
    except JobRejected as error:
        raise BatchError(f"{path}: {error.message}") from None
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
            return _candidate(one, batch)
        except SubmissionUnusable as error:
            problem = str(error)
    students = ", ".join(dict.fromkeys(other.student for other in same))
    return replace(_candidate(Unread(unread(one.id, batch, students)), batch), problem=problem)


def _lines(path: Path, batch: str | None) -> Iterator[tuple[int, ManifestLine]]:
    offset = 0
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if line.strip(b"\xef\xbb\xbf \t\r\n"):
                yield number, ManifestLine(path, offset, len(line), batch)
            offset += len(line)


def _checked(source: ManifestLine, *, keep_invalid: bool) -> Candidate:
    document, _ = source.load()
    try:
        validate_job(document)
    except JobRejected:
        if not keep_invalid or identity(document)[0] is None:
            raise
    return _candidate(source, identity(document)[1] or DEFAULT_BATCH)


def _document(line: bytes, batch: str | None) -> dict[str, Any]:
    document = parse_json(line.removeprefix(b"\xef\xbb\xbf").strip(), "line")
    if not isinstance(document, dict):
        raise JobRejected("invalid_job", "a job is a JSON object")
    return {**document, "batch": batch} if batch else document


def _candidate(source: Source, batch: str) -> Candidate:
    document, _ = source.load()
    metadata = document.get("metadata")
    entry = Entry(document["id"], digest(document), metadata if isinstance(metadata, dict) else {})
    return Candidate(batch, entry, source)


def _listed(what: str, lines: Sequence[str]) -> str:
    shown = [f"  {printable(line)}" for line in lines[:_MAX_PROBLEMS]]
    more = [f"  … and {len(lines) - _MAX_PROBLEMS} more"] if len(lines) > _MAX_PROBLEMS else []
    return "\n".join([f"{what}:", *shown, *more])
