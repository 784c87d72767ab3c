"""The copy of Node that sessions run.

Its users may run it but not read it, and Linux lets nobody look into the memory of a process that came from
such a file. Otherwise a program could rewrite the session's kernel through /proc/1/mem. Root's copy also lies
where every session's user can reach it. It stays for the next pool: nothing removes it.
"""

import os
import shutil
import stat
import tempfile
from pathlib import Path

from worker.local.pool.errors import StartError

EXECUTE_ONLY = 0o111
SHELF_MODE = 0o711


def shelved(node: Path) -> Path:
    """Return the path of the copy, making it if there is none of this very file.

    Raises:
        StartError: no directory for temporary files lets this user keep and run one.
    """
    status = node.stat()
    shelf = _shelf()
    copy = shelf / f"node-{status.st_size}-{status.st_mtime_ns}"
    if not copy.exists():
        _copy(node, copy)
    return copy


def _copy(node: Path, copy: Path) -> None:
    part = copy.with_name(f"{copy.name}.{os.getpid()}")
    try:
        shutil.copyfile(node, part)
        part.chmod(EXECUTE_ONLY)
        part.rename(copy)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise StartError(f"cannot copy Node to {copy.parent}: {error.strerror}") from error


def _shelf() -> Path:
    for folder in (tempfile.gettempdir(), "/var/tmp"):  # noqa: S108 - _is_ours checks what is found there
        shelf = Path(folder) / f"jsworker-node-{os.geteuid()}"
        try:
            shelf.mkdir(exist_ok=True)
            if _is_ours(shelf) and not os.statvfs(shelf).f_flag & os.ST_NOEXEC:
                shelf.chmod(SHELF_MODE)
                return shelf
        except OSError:
            continue
    raise StartError("no directory for temporary files allows running programs: set TMPDIR to one that does")


def _is_ours(shelf: Path) -> bool:
    status = shelf.lstat()
    writable_by_others = status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid() and not writable_by_others
