"""What is to be submitted: programs in folders or lines of a manifest, read to be checked and to be sent."""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from worker.batch import BatchError, Entry, digest
from worker.cases_folder import CasesError
from worker.faults import JobRejected
from worker.job import DEFAULT_BATCH, identity, validate_job
from worker.settings import MAX_CASES_BYTES
from worker.shared_cases import shared_cases
from worker.strict_json import parse_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from worker.shared_cases import SharedCases

SUFFIXES = (".js", ".mjs", ".cjs")
PROGRAMS = "submissions"  # the container of programs that were files
MAX_ID = 128
_MAX_PROBLEMS = 50


class Source(Protocol):
    """Where a job is read from."""

    def load(self) -> tuple[dict[str, Any], bytes | None]:
        """The job, and the program to upload as its code where that is a file."""


@dataclass(frozen=True)
class Candidate:
    """One job to be: what the manifest says of it, and where to read it when its turn comes."""

    batch: str
    entry: Entry
    source: Source
    cases: SharedCases | None = None

    def load(self) -> tuple[dict[str, Any], bytes | None]:
        """The job, and the program to upload as its code where that is a file.

        Raises:
            BatchError: it is not what it was when it was checked.
        """
        document, program = self.source.load()
        if self.cases:
            document = self.cases.given_to(document, self.batch)
        if digest(document) != self.entry.digest:
            raise BatchError(f"{self.entry.id} changed while it was being submitted: submit again")
        return document, program


@dataclass(frozen=True)
class ProgramFile:
    """A program on disk, a job of its own."""

    path: Path
    id: str
    batch: str

    def load(self) -> tuple[dict[str, Any], bytes]:
        """The job, its code pinned to the digest of the file, and the file."""
        data = self.path.read_bytes()
        blob = f"{PROGRAMS}/{self.batch}/{self.id}{self.path.suffix}"
        code = {"blob": blob, "sha256": hashlib.sha256(data).hexdigest()}
        student = os.fsencode(self.path.stem).decode(errors="replace")
        job = {
            "version": 1,
            "id": self.id,
            "batch": self.batch,
            "code": code,
            "metadata": {"student": student},
        }
        return job, data


@dataclass(frozen=True)
class ManifestLine:
    """A line of a manifest file, by its place; ``batch`` overrides the job's own."""

    path: Path
    offset: int
    length: int
    batch: str | None

    def load(self) -> tuple[dict[str, Any], None]:
        """The job as it stands there."""
        with self.path.open("rb") as file:
            file.seek(self.offset)
            return _document(file.read(self.length), self.batch), None


def programs(paths: Iterable[Path], batch: str) -> list[Candidate]:
    """The programs among files and folders, as jobs of a batch, in the order of their names.

    Args:
        paths: programs, or folders that are searched (but for hidden ones and ``node_modules``).
        batch: the batch they belong to.

    Raises:
        BatchError: there is none, one is no program, or two have the same id.
    """
    found: dict[str, Path] = {}
    for path in paths:
        for program in _programs(path):
            other = found.setdefault(job_id(program.stem), program)
            if other != program:
                raise BatchError(
                    f"{other} and {program} would both be the job {job_id(program.stem)!r}: "
                    "rename one, or submit them to different batches"
                )
    return [_candidate(ProgramFile(path, name, batch), batch) for name, path in found.items()]


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
    if problems or not candidates:
        raise BatchError(_told(path, problems))
    return [candidate for _, candidate in candidates.values()]


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
    document, _ = candidate.source.load()
    entry = replace(candidate.entry, digest=digest(cases.given_to(document, candidate.batch)))
    return replace(candidate, entry=entry, cases=cases)


def job_id(name: str) -> str:
    """A job's id from a file's name; a name that loses letters gets a digest, so that it stays its own.

    >>> job_id("Jürgen's 2nd try")
    'Jurgen-s-2nd-try'
    """
    plain = "".join(c for c in unicodedata.normalize("NFKD", name) if not unicodedata.combining(c))
    lost = any(c.isalnum() and not c.isascii() for c in plain)
    fitting = re.sub(r"\.{2,}", ".", re.sub(r"[^A-Za-z0-9._-]+", "-", plain)).lstrip("._-").rstrip(".-")
    if fitting and len(fitting) <= MAX_ID and not lost:
        return fitting
    tag = hashlib.sha256(os.fsencode(name)).hexdigest()[:8]
    return f"{fitting[: MAX_ID - 9]}-{tag}".lstrip("-")


def _programs(path: Path) -> Iterator[Path]:
    if not path.is_dir():
        if path.suffix not in SUFFIXES:
            raise BatchError(f"{path} is no program: programs are *.js, *.mjs and *.cjs files")
        yield path
        return
    found = False
    for folder, folders, files in os.walk(path):
        folders[:] = sorted(name for name in folders if name != "node_modules" and not name.startswith("."))
        for name in sorted(files):
            program = Path(folder, name)
            if program.suffix in SUFFIXES and not name.startswith("."):
                found = True
                yield program
    if not found:
        raise BatchError(f"there are no programs (*.js, *.mjs, *.cjs) in {path}")


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


def _candidate(source: ManifestLine | ProgramFile, batch: str) -> Candidate:
    document, _ = source.load()
    metadata = document.get("metadata")
    entry = Entry(document["id"], digest(document), metadata if isinstance(metadata, dict) else {})
    return Candidate(batch, entry, source)


def _told(path: Path, problems: list[str]) -> str:
    if not problems:
        return f"{path} has no jobs: a manifest is JSON Lines, one job a line (jsworker schema job)"
    shown = [f"  {problem}" for problem in problems[:_MAX_PROBLEMS]]
    more = [f"  … and {len(problems) - _MAX_PROBLEMS} more"] if len(problems) > _MAX_PROBLEMS else []
    return "\n".join([f"nothing was submitted, since {path} has lines that are no jobs:", *shown, *more])
