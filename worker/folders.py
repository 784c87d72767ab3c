"""The files of one submission, read from where they lie: a program, a folder or a zip archive."""

from __future__ import annotations

import errno
import io
import os
import stat
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, NoReturn

from worker.archives import unpacked
from worker.faults import SubmissionUnusable
from worker.gathering import MAX_DEPTH, Gathering, is_left_out

if TYPE_CHECKING:
    from collections.abc import Iterator

SUFFIXES = (".js", ".mjs", ".cjs")
_ARCHIVE = ".zip"
_CHUNK_BYTES = 64 << 10


def is_program(name: str) -> bool:
    """Whether a file of this name is a program."""
    return name.lower().endswith(SUFFIXES)


def is_archive(name: str) -> bool:
    """Whether a file of this name is a zip archive."""
    return name.lower().endswith(_ARCHIVE)


def read_file(path: Path) -> bytes:
    """One file, of no more than a submission may have.

    Raises:
        SubmissionUnusable: it cannot be read, is too large, or is no file but a link or a device.
    """
    gathering = Gathering()
    _add(gathering, path, path.name)
    return gathering.files[path.name]


def read_files(path: Path) -> dict[str, bytes]:
    """The files of a folder or an archive, by their paths; a folder of one archive is that archive.

    Raises:
        SubmissionUnusable: they cannot be read, are too many or too large, or there is a link among them.
    """
    if path.is_symlink() or not path.is_dir():
        with _opened(path) as file:
            return unpacked(file)
    gathering = Gathering()
    for found in walked(path):
        _add(gathering, found, found.relative_to(path).as_posix())
    match list(gathering.files.items()):
        case [(name, data)] if is_archive(name):
            return unpacked(io.BytesIO(data))
    return gathering.files


def walked(folder: Path) -> Iterator[Path]:
    """The files in a folder and the folders in it, in the order of their names; links are not followed.

    Raises:
        SubmissionUnusable: a folder cannot be read, or they lie in each other too deep.
    """
    for base, folders, files in os.walk(folder, onerror=_unreadable):
        place = Path(base)
        if len(place.relative_to(folder).parts) > MAX_DEPTH:
            raise SubmissionUnusable(f"its folders lie in each other more than {MAX_DEPTH} deep")
        folders[:] = sorted(name for name in folders if not is_left_out(name))
        links = [name for name in folders if (place / name).is_symlink()]
        yield from (place / name for name in sorted(files + links) if not is_left_out(name))


def _add(gathering: Gathering, file: Path, path: str) -> None:
    with _opened(file) as data:
        gathering.add(path, iter(partial(data.read, _CHUNK_BYTES), b""))


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    """A regular file that is no link: a student's could point to what is the teacher's alone."""
    try:
        with open(path, "rb", opener=_opener) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise SubmissionUnusable(f"{path.name!r:.200} is no file but a pipe or a device")
            yield file
    except OSError as error:
        _unreadable(error)


def _opener(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)


def _unreadable(error: OSError) -> NoReturn:
    name = Path(error.filename or "").name
    if error.errno == errno.ELOOP:
        raise SubmissionUnusable(f"{name!r:.200} is a link: put in its place what it points to") from None
    raise SubmissionUnusable(f"{name!r:.200} cannot be read: {error.strerror}") from None
