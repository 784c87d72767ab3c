"""Processes by identity: a pid with its start time, so that a pid given out again is not mistaken for it."""

from __future__ import annotations

import os
import select
import signal
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterator

STATE, START_TIME = 0, 19  # in /proc/PID/stat, counted from after the program's name


@dataclass(frozen=True)
class Process:
    """A process of this machine, as long as it runs; a zombie does not."""

    pid: int
    start_time: str

    @classmethod
    def of(cls, pid: int) -> Self | None:
        """The process that has this pid now; None when there is none."""
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            return None
        return None if fields[STATE] in "ZX" else cls(pid, fields[START_TIME])

    @property
    def is_running(self) -> bool:
        """Whether it still runs."""
        return Process.of(self.pid) == self

    def end(self, grace_seconds: float) -> None:
        """Ask it to end (SIGTERM), wait, kill it when the grace is over; returns when it has ended."""
        with self._handle() as handle:
            if handle is not None:
                signal.pidfd_send_signal(handle, signal.SIGTERM)
                if not _ended(handle, grace_seconds):
                    signal.pidfd_send_signal(handle, signal.SIGKILL)
                    _ended(handle, None)

    @contextmanager
    def _handle(self) -> Iterator[int | None]:
        """A pidfd, which never comes to mean another process; None when this one has ended."""
        try:
            handle = os.pidfd_open(self.pid)
        except ProcessLookupError:
            yield None
            return
        try:
            yield handle if self.is_running else None
        finally:
            os.close(handle)


def _ended(handle: int, timeout_seconds: float | None) -> bool:
    return bool(select.select([handle], [], [], timeout_seconds)[0])
