"""A command of ours on a terminal, whose keys and screen are the test's."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from typing import TYPE_CHECKING, Self

from tests.system.worker.processes import COMMAND, ROOT, environment

if TYPE_CHECKING:
    from types import TracebackType

SECONDS = 30.0
CTRL_C = b"\x03"
# the terminal becomes the command's own, so that keys come as signals
_LAUNCH = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""


class Terminal:
    """A command that runs on a terminal of 100 columns and 30 lines, for as long as the context."""

    def __init__(self, *arguments: str) -> None:
        self._arguments = arguments
        self.written = b""

    def __enter__(self) -> Self:
        self._keys, self._screen = pty.openpty()
        fcntl.ioctl(self._screen, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
        self._modes = termios.tcgetattr(self._screen)
        self._process = subprocess.Popen(  # noqa: S603 - our own command
            [sys.executable, "-c", _LAUNCH, *COMMAND, *self._arguments],
            cwd=ROOT,
            env={**environment(), "TERM": "xterm-256color"},
            stdin=self._screen,
            stdout=self._screen,
            stderr=self._screen,
            start_new_session=True,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._keys)
        os.close(self._screen)

    @property
    def is_as_before(self) -> bool:
        """Whether the terminal is in the modes it was in before the command."""
        return termios.tcgetattr(self._screen) == self._modes

    def press(self, keys: bytes) -> None:
        os.write(self._keys, keys)

    def until(self, text: str) -> None:
        """Read on until this was written, after all that was read before."""
        start, deadline = len(self.written), time.monotonic() + SECONDS
        while text.encode() not in self.written[start:]:
            assert time.monotonic() < deadline, f"{text!r} did not come; what came: {self.written!r}"
            self._read(0.2)

    def status(self) -> int:
        """The exit status; all that was written until then is read."""
        deadline = time.monotonic() + SECONDS
        while self._process.poll() is None:
            assert time.monotonic() < deadline, f"it did not end; what came: {self.written!r}"
            self._read(0.2)
        self._read(0)
        return self._process.returncode

    def _read(self, seconds: float) -> None:
        while select.select([self._keys], [], [], seconds)[0]:
            self.written += os.read(self._keys, 1 << 16)
            seconds = 0
