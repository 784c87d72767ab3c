"""Names and paths that come from outside: which are refused, and why."""

from __future__ import annotations

import re

NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$"


def is_batch_name(name: str) -> bool:
    """Whether a batch may have the name: it begins the names of blobs."""
    return bool(re.fullmatch(NAME, name)) and ".." not in name and not name.endswith(".")


def check_name(name: str) -> str:
    """Refuse ``..`` in what becomes a segment of a blob's name."""
    if ".." in name:
        raise ValueError("must not contain '..'")
    return name


def check_blob(path: str) -> str:
    """Refuse names that a storage client or server would resolve to another blob than the one written.

    The blob SDK sends ``container/../other/x`` to the container ``other``.
    """
    container, _, name = path.partition("/")
    if not re.fullmatch(r"[a-z0-9](?:-?[a-z0-9]){2,62}", container) or not name:
        raise ValueError("must be 'container/name'")
    if len(name) > 1024 or len(name.split("/")) > 254:  # noqa: PLR2004 - limits of Blob storage
        raise ValueError("the blob's name is too long")
    if any(segment in {"", ".", ".."} or segment.endswith(".") for segment in name.split("/")):
        raise ValueError("must not have empty, '.' or '..' segments, nor segments that end with a dot")
    if "\\" in name or not name.isprintable():
        raise ValueError("must not contain backslashes or control characters")
    return path


def check_path(path: str) -> str:
    """Refuse paths that leave the program's folder."""
    if any(segment in {"", ".", ".."} for segment in path.split("/")):
        raise ValueError("must be relative, without empty, '.' or '..' segments")
    if "\\" in path or "\0" in path or len(path.encode("utf-8", "replace")) > 512:  # noqa: PLR2004 - well under PATH_MAX
        raise ValueError("must not contain backslashes or NUL, nor be longer than 512 bytes")
    return path


def check_argument(value: str) -> str:
    """Refuse what no process can be given."""
    if "\0" in value:
        raise ValueError("must not contain NUL")
    return value
