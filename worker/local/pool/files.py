"""The files of a session, reached only through a descriptor of its data directory.

Code in the session owns that directory and may plant links, pipes and devices in it: nothing here follows a
link, waits for a pipe or opens anything but regular files.
"""

import contextlib
import ctypes
import itertools
import mimetypes
import os
import secrets
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from worker.local.pool.errors import ServiceError

LONGEST_NAME_BYTES = 255
MOST_LISTED = 10_000
READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
EARLIEST, LATEST = -62_135_596_800, 253_402_300_799  # what a date can say; a file may have any time
_libc = ctypes.CDLL(None)


def checked_name(name: str) -> str:
    """Return a flat file name.

    Raises:
        ServiceError: it is none (400 FilePathInvalid).
    """
    flat = name not in {"", ".", ".."} and "/" not in name and "\\" not in name and name.isprintable()
    if not flat or len(os.fsencode(name)) > LONGEST_NAME_BYTES:
        raise ServiceError(400, "FilePathInvalid", "The file path is not valid: it must be a flat file name.")
    return name


def not_found(name: str) -> ServiceError:
    """Return the error for a file that is not there."""
    return ServiceError(404, "FileNotFound", f"The file '{name}' was not found.")


@dataclass(frozen=True, slots=True)
class SessionFiles:
    """The regular files of one session; `uid` is its owner's when that is not this process's user."""

    directory: int
    uid: int | None

    def list(self) -> list[dict[str, Any]]:
        """Describe the regular files, in no more than ``MOST_LISTED`` entries: all else waits meanwhile."""
        with os.scandir(self.directory) as entries:
            some = itertools.islice(entries, MOST_LISTED)
            found = {entry.name: status for entry in some if (status := _regular(entry))}
        return [_describe(name, found[name]) for name in sorted(found)]

    def describe(self, name: str) -> dict[str, Any]:
        """Describe one file.

        Raises:
            ServiceError: no such regular file.
        """
        try:
            status = os.stat(name, dir_fd=self.directory, follow_symlinks=False)
        except OSError as error:
            raise not_found(name) from error
        if not stat.S_ISREG(status.st_mode):
            raise not_found(name)
        return _describe(name, status)

    def open(self, name: str) -> tuple[int, int]:
        """Open a file for reading; return its descriptor and size in bytes.

        Raises:
            ServiceError: no such regular file.
        """
        try:
            fd = os.open(name, READ, dir_fd=self.directory)
        except OSError as error:
            raise not_found(name) from error
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            os.close(fd)
            raise not_found(name)
        return fd, status.st_size

    def delete(self, name: str) -> None:
        """Remove a file, a link itself rather than what it points to.

        Raises:
            ServiceError: no such file.
        """
        try:
            os.unlink(name, dir_fd=self.directory)
        except OSError as error:
            raise not_found(name) from error

    @contextlib.contextmanager
    def replacing(self, name: str) -> Iterator[int]:
        """Give a descriptor to write to; what was written becomes the file when all went well."""
        part = f".upload-{secrets.token_hex(8)}"
        with self._as_owner():
            fd = os.open(part, CREATE, 0o644, dir_fd=self.directory)
        try:
            yield fd
            with self._as_owner():
                os.rename(part, name, src_dir_fd=self.directory, dst_dir_fd=self.directory)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(part, dir_fd=self.directory)
            raise
        finally:
            os.close(fd)

    @contextlib.contextmanager
    def _as_owner(self) -> Iterator[None]:
        """Act on files as the session's user: the session's file system does not know root and refuses it.

        Only this thread changes, and only while nothing is awaited.
        """
        if self.uid is None:
            yield
            return
        _libc.setfsgid(self.uid)
        _libc.setfsuid(self.uid)
        try:
            yield
        finally:
            _libc.setfsuid(os.geteuid())
            _libc.setfsgid(os.getegid())


def _regular(entry: os.DirEntry[str]) -> os.stat_result | None:
    """Return the status of a regular file, unless it is gone meanwhile."""
    try:
        status = entry.stat(follow_symlinks=False)
    except FileNotFoundError:
        return None
    return status if stat.S_ISREG(status.st_mode) else None


def _describe(name: str, status: os.stat_result) -> dict[str, Any]:
    modified = datetime.fromtimestamp(min(max(EARLIEST, status.st_mtime), LATEST), UTC)
    return {
        "name": name,
        "type": "file",
        "contentType": mimetypes.guess_type(name)[0] or "",
        "sizeInBytes": status.st_size,
        "lastModifiedAt": modified.isoformat().replace("+00:00", "Z"),
        "directory": "",
    }
