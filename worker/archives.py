"""Zip archives, read within bounds: neither what is in one nor what it says of itself is trusted."""

from __future__ import annotations

import re
import stat
import struct
import zipfile
import zlib
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

from worker.faults import SubmissionUnusable
from worker.gathering import Gathering, is_left_out

if TYPE_CHECKING:
    from collections.abc import Iterator
    from zipfile import ZipFile, ZipInfo

MAX_ENTRIES = 10_000
MAX_DIRECTORY_BYTES = 2 << 20  # of the list of entries, which the library reads whole
MAX_RATIO = 200  # unpacked to packed, of all that is over the allowance
RATIO_ALLOWANCE_BYTES = 1 << 20
_CHUNK_BYTES = 64 << 10
_ENCRYPTED = 0x1
_UTF8 = 0x800
_SEPARATORS = ("/", "\\")
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}  # the others unpack without a bound on memory
_DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    OSError,
    OverflowError,
    RuntimeError,
    ValueError,
)


def unpacked(file: IO[bytes]) -> dict[str, bytes]:
    """The files of an archive by their paths, but for those that are left out of submissions.

    Raises:
        SubmissionUnusable: it is damaged, too large, or has what no archive of a program needs.
    """
    with _told(), zipfile.ZipFile(_Bounded(file)) as archive:
        gathering, pace = Gathering(), _Pace()
        for entry, path in _wanted(archive):
            gathering.add(path, pace.checked(entry, _chunks(archive, entry)))
    return gathering.files


@contextmanager
def _told() -> Iterator[None]:
    """Whatever the library says of an archive is for its owner, and no fault of the command."""
    try:
        yield
    except _DAMAGED as error:
        raise SubmissionUnusable(f"it is no zip archive that can be read: {error!s:.200}") from None


class _Bounded:
    """A file that is read in pieces only: how long the list of entries is, the archive says itself."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(MAX_DIRECTORY_BYTES + 1 if size < 0 else min(size, MAX_DIRECTORY_BYTES + 1))
        if len(data) > MAX_DIRECTORY_BYTES:
            raise SubmissionUnusable(f"its list of files has over {MAX_DIRECTORY_BYTES >> 20} MiB")
        return data


class _Pace:
    """How much an archive has unpacked to, from how much."""

    def __init__(self) -> None:
        self._packed = self._unpacked = 0

    def checked(self, entry: ZipInfo, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """The chunks of an entry, until they are more than an honest archive makes of so few bytes."""
        self._packed += entry.compress_size
        for chunk in chunks:
            self._unpacked += len(chunk)
            if self._unpacked > RATIO_ALLOWANCE_BYTES + MAX_RATIO * self._packed:
                raise SubmissionUnusable(f"it unpacks to over {MAX_RATIO} times its size")
            yield chunk


def _wanted(archive: ZipFile) -> Iterator[tuple[ZipInfo, str]]:
    """The entries to be read, with their paths; all names are checked, be they wanted or not."""
    entries = archive.infolist()
    if len(entries) > MAX_ENTRIES:
        raise SubmissionUnusable(f"it has over {MAX_ENTRIES:,} entries: leave node_modules out")
    for entry in entries:
        name = _name(entry)
        segments = _segments(name)
        if segments and not name.endswith(_SEPARATORS) and not any(map(is_left_out, segments)):
            _check_kind(entry, name)
            yield entry, "/".join(segments)


def _name(entry: ZipInfo) -> str:
    """The name as it was meant: many programs write UTF-8 and do not say so."""
    name = entry.orig_filename
    if entry.flag_bits & _UTF8:
        return name
    try:
        return name.encode("cp437").decode()
    except UnicodeError:
        return name


def _segments(name: str) -> list[str]:
    """The parts of a name, with the separators of any system."""
    parts = name.replace("\\", "/").split("/")
    if parts[0] == "" or re.match("[A-Za-z]:", name) or ".." in parts or "\0" in name:
        raise SubmissionUnusable(f"it has an entry that leaves its folder: {name!r:.200}")
    return [part for part in parts if part not in {"", "."}]


def _check_kind(entry: ZipInfo, name: str) -> None:
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in {0, stat.S_IFREG}:
        raise SubmissionUnusable(f"it has an entry that is no file but a link or a device: {name!r:.200}")
    if entry.flag_bits & _ENCRYPTED:
        raise SubmissionUnusable("it is encrypted: make it without a password")
    if entry.compress_type not in _METHODS:
        raise SubmissionUnusable("it is compressed by an unusual method: make it with 'deflate'")


def _chunks(archive: ZipFile, entry: ZipInfo) -> Iterator[bytes]:
    with archive.open(entry) as file:
        while chunk := file.read(_CHUNK_BYTES):
            yield chunk
