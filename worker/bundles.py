"""A submission of several files: which of them is the program, and the job that runs it among the others."""

from __future__ import annotations

import hashlib
import json
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from worker.faults import JobRejected, SubmissionUnusable
from worker.folders import SUFFIXES, is_program
from worker.job import validate_job
from worker.students import job_id

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

Files = dict[str, bytes]
_NAME_LENGTH = 60
_SHOWN = 5


def bundle(job: dict[str, Any], files: Files, folder: str, entry: str | None) -> tuple[dict[str, Any], Files]:
    """The job with its code and files, and the blobs that are to be uploaded for it.

    Args:
        job: what it is beside them.
        files: by their paths in the submission.
        folder: what the names of the blobs begin with.
        entry: the path of the program; found by its name when None.

    Raises:
        SubmissionUnusable: there is no program in it, or several and none is the first to run.
    """
    files, program = with_program(files, entry)
    blobs = {path: f"{folder}/{_blob_name(path, data)}" for path, data in sorted(files.items())}
    code = {"blob": blobs.pop(program), "sha256": hashlib.sha256(files[program]).hexdigest(), "path": program}
    others = [{"path": path, "blob": blob} for path, blob in blobs.items()]
    whole = {**job, "code": code, "files": others}
    try:
        validate_job(whole)
    except JobRejected as error:
        raise SubmissionUnusable(error.message) from None
    return whole, {code["blob"]: files[program]} | {blob: files[path] for path, blob in blobs.items()}


def with_program(files: Files, entry: str | None) -> tuple[Files, str]:
    """The files as they lie around the program, and its path: a folder that has all in it is looked through.

    Raises:
        SubmissionUnusable: there is none, or several and none is the first to run.
    """
    levels = list(_levels(files))
    if entry:
        for level in levels:
            if entry in level:
                return level, entry
        raise SubmissionUnusable(f"there is no {entry} in it, the program that was asked for")
    files = levels[-1]
    for found in (_declared(files), _called("main", files), _called("index", files), _programs(files)):
        match found:
            case [program]:
                return files, program
            case [_, _, *_]:
                raise SubmissionUnusable(
                    f"several programs in it could be the one to run: {_told(found)}. --entry NAME says which"
                )
    what = f"but only {_told(list(files))}" if files else "since it is empty"
    raise SubmissionUnusable(f"there is no *.js, *.mjs or *.cjs in it to run or to be its --entry, {what}")


def _levels(files: Files) -> Iterator[Files]:
    yield files
    while len({path.partition("/")[0] for path in files}) == 1 and all("/" in path for path in files):
        files = {path.partition("/")[2]: data for path, data in files.items()}
        yield files


def _declared(files: Mapping[str, bytes]) -> Sequence[str]:
    """What ``package.json`` calls its main, as Node finds it; nothing when that is not there."""
    try:
        main = json.loads(files["package.json"])["main"]
        name = PurePosixPath(main).as_posix()
    except (KeyError, TypeError, ValueError, RecursionError):
        return []
    tried = [name, *(f"{name}{suffix}" for suffix in SUFFIXES), f"{name}/index.js"]
    return [path for path in tried if path in files and is_program(path)][:1]


def _called(stem: str, files: Mapping[str, bytes]) -> Sequence[str]:
    return [path for path in files if path.lower() in {stem + suffix for suffix in SUFFIXES}]


def _programs(files: Mapping[str, bytes]) -> Sequence[str]:
    return [path for path in files if is_program(path)]


def _blob_name(path: str, data: bytes) -> str:
    """A name that is safe, and another for other content: a job refers to its files by nothing else."""
    digest = hashlib.sha256(data).hexdigest()[:16]
    name = PurePosixPath(path)
    suffix = name.suffix.lower() if is_program(path) else ""
    readable = job_id(name.stem if suffix else name.name)[:_NAME_LENGTH].rstrip(".-")
    return f"{digest}-{readable}{suffix}"


def _told(names: Sequence[str]) -> str:
    more = [f"and {len(names) - _SHOWN} more"] if len(names) > _SHOWN else []
    return ", ".join([*(f"{name!r:.100}" for name in names[:_SHOWN]), *more])
