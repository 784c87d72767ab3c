"""What a class has handed in: submissions found among files and folders, and what becomes of each."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, Literal

from worker.bundles import bundle
from worker.faults import SubmissionUnusable
from worker.folders import is_archive, is_program, read_file, read_files, walked
from worker.gathering import is_left_out
from worker.students import job_id, student_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from worker.students import StudentPattern

PROGRAMS = "submissions"  # the container of programs that were files
KINDS = "submissions are programs (*.js, *.mjs, *.cjs), folders of them and zip archives"


@dataclass(frozen=True)
class Layout:
    """How submissions lie and what they are called.

    Attributes:
        each: what in a folder is one: a program anywhere in it, or whatever lies directly in it. A zip
            archive is one in either.
        entry: the program of those that have several; found by its name when None.
        student: the pattern of their names; None when the whole name is the student.
    """

    each: Literal["file", "folder"] = "file"
    entry: str | None = None
    student: StudentPattern | None = None


@dataclass(frozen=True)
class Found:
    """A submission as it lies; ``name`` is its path in the folder that was searched."""

    path: Path
    name: PurePath

    def student(self, pattern: StudentPattern | None) -> str | None:
        """Whose it is, by its name without a file's extension; None when that does not fit the pattern."""
        name = student_of(self.name.name if self.path.is_dir() else self.name.stem)
        return pattern.student(name) if pattern else name


@dataclass(frozen=True)
class HandedIn:
    """A submission as the job of a student."""

    found: Found
    batch: str
    student: str
    entry: str | None

    @property
    def id(self) -> str:
        """The job's id."""
        return job_id(self.student)

    def load(self) -> tuple[dict[str, Any], dict[str, bytes]]:
        """The job, its code pinned to the digest of the program, and the blobs it refers to.

        Raises:
            SubmissionUnusable: there is nothing that could run, or it is beyond the bounds.
        """
        path, folder = self.found.path, f"{PROGRAMS}/{self.batch}/{self.id}"
        job = unread(self.id, self.batch, self.student)
        if path.is_dir() or is_archive(path.name):
            return bundle(job, read_files(path), folder, self.entry)
        if not is_program(path.name):
            raise SubmissionUnusable(f"{path.name!r:.200} is no program: {KINDS}")
        data = read_file(path)
        blob = f"{folder}{path.suffix.lower()}"
        return {**job, "code": {"blob": blob, "sha256": hashlib.sha256(data).hexdigest()}}, {blob: data}


def unread(job_id: str, batch: str, student: str) -> dict[str, Any]:
    """A student's job, but for what there is to run."""
    return {"version": 1, "id": job_id, "batch": batch, "metadata": {"student": student}}


def found_in(path: Path, layout: Layout) -> Iterator[Found]:
    """The submissions that a path is or has in it, in the order of their names.

    Raises:
        SubmissionUnusable: a folder cannot be searched.
    """
    if not path.is_dir():
        yield Found(path.resolve() if path.is_symlink() else path, PurePath(path.name))
        return
    children = sorted(path.iterdir()) if layout.each == "folder" else walked(path)
    for child in children:
        wanted = layout.each == "folder" or is_program(child.name) or is_archive(child.name)
        if wanted and not is_left_out(child.name):
            yield Found(child, child.relative_to(path))


def told(same: Sequence[HandedIn], *, paths: bool) -> str:
    """That submissions would be one job; by their paths, or as they may be named to their owners."""
    names = [str(one.found.path) if paths else repr(str(one.found.name)) for one in same]
    return f"{' and '.join(names)} would {'both' if len(same) == 2 else 'all'} be the job {same[0].id!r}"  # noqa: PLR2004
