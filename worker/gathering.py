"""The files of one submission while they are gathered: which are taken, and how much they may be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from worker.faults import SubmissionUnusable
from worker.names import check_path

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_FILES = 101  # the program, and as many beside it as a job takes
MAX_BYTES = 32 << 20
MAX_DEPTH = 50
_LEFT_OUT = {"node_modules", "__MACOSX"}


def is_left_out(name: str) -> bool:
    """Whether a file or folder of this name is no part of a submission: hidden ones, packages, leftovers."""
    return name.startswith(".") or name in _LEFT_OUT


class Gathering:
    """Files by their paths, within the bounds of a submission whatever is offered."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self._folders: set[str] = set()
        self._left = MAX_BYTES

    def add(self, path: str, chunks: Iterable[bytes]) -> None:
        """Take a file; of one that is too large no more is read than shows it.

        Raises:
            SubmissionUnusable: it cannot be taken.
        """
        self._check(path)
        taken = []
        for chunk in chunks:
            self._left -= len(chunk)
            if self._left < 0:
                raise SubmissionUnusable(f"its files have over {MAX_BYTES >> 20} MiB")
            taken.append(chunk)
        self.files[path] = b"".join(taken)
        self._folders.update(_parents(path))

    def _check(self, path: str) -> None:
        try:
            check_path(path)
            path.encode()
        except UnicodeEncodeError:
            raise SubmissionUnusable(f"the file name {path!r:.200} is no text: rename it") from None
        except ValueError as error:
            raise SubmissionUnusable(f"the file name {path!r:.200} cannot be used: it {error}") from None
        if path in self.files or path in self._folders or self.files.keys() & _parents(path):
            raise SubmissionUnusable(f"it has {path!r:.200} twice")
        if path.count("/") > MAX_DEPTH:
            raise SubmissionUnusable(f"its folders lie in each other more than {MAX_DEPTH} deep")
        if len(self.files) == MAX_FILES:
            raise SubmissionUnusable(
                f"it has over {MAX_FILES} files; hidden ones and node_modules are not counted"
            )


def _parents(path: str) -> set[str]:
    return {path[:index] for index, character in enumerate(path) if character == "/"}
