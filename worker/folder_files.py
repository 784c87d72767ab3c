"""Files of one folder, read as text: none from elsewhere, and no more of them than may be uploaded."""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class UnreadableFile(Exception):
    """A file that cannot be taken; the message names it and says why."""


class FolderFiles:
    """The files of a folder and below it; ``limit`` is how many bytes of them are read in all."""

    def __init__(self, folder: Path, limit: int) -> None:
        self._root, self._limit, self._left = folder.resolve(), limit, limit

    def read(self, name: str) -> bytes:
        """A file, by its path from the folder.

        Raises:
            UnreadableFile: there is none, it lies elsewhere, or is too large.
        """
        file = self._found(name)
        if not file.is_file():
            raise UnreadableFile(f"{name} is no file")
        data = self._read(file)
        if len(data) > self._left:
            size = f"{file.stat().st_size:,} bytes"
            raise UnreadableFile(f"{name} is too large: it has {size}, and {in_all(self._limit)}")
        self._left -= len(data)
        return data

    def text(self, name: str) -> str:
        """A file as text, with the line ends it has; raises as ``read`` does, or since it is no text."""
        data = self.read(name)
        if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            raise UnreadableFile(f"{name} is UTF-16: save it as UTF-8")
        try:
            return data.decode()
        except UnicodeDecodeError:
            advice = 'save it as such, or upload it and refer to it by {"blob": "container/name"}'
            raise UnreadableFile(f"{name} is not UTF-8 text: {advice}") from None

    def _found(self, name: str) -> Path:
        try:
            file = (self._root / name).resolve(strict=True)
        except (OSError, RuntimeError, ValueError):  # also links in a circle, and names that no file can have
            raise UnreadableFile(f"there is no file {name} in {self._root}") from None
        if not file.is_relative_to(self._root):
            raise UnreadableFile(f"{name} leads out of the folder of the cases, {self._root}")
        return file

    def _read(self, file: Path) -> bytes:
        """One byte more than may be read, at the most."""
        try:
            with file.open("rb") as opened:
                return opened.read(self._left + 1)
        except OSError as error:
            raise UnreadableFile(f"{file.name}: {error.strerror}") from None


def in_all(limit: int) -> str:
    """What the bound on cases is, and what to do about it."""
    return (
        f"a cases file with all that it refers to may have {limit:,}: make it smaller, upload large inputs "
        'and refer to them by {"blob": "container/name"}, or set JSWORKER_MAX_CASES_BYTES, for workers too'
    )
