"""Processes under measurement: started, timed by what the kernel says of them, and stopped."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

_TICKS = os.sysconf("SC_CLK_TCK")
_READY_SECONDS = 60
_STOP_SECONDS = 40


class BenchError(Exception):
    """The benchmark cannot go on; the message says where to look."""


@dataclass(frozen=True)
class Process:
    """One child process; what it logs is in the file ``log``."""

    child: asyncio.subprocess.Process
    log: Path

    def cpu_seconds(self) -> float:
        """User and system time so far, of all its threads."""
        fields = Path(f"/proc/{self.child.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def peak_memory_mb(self) -> float:
        """The most resident memory so far, in MB (10^6 bytes)."""
        status = Path(f"/proc/{self.child.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024 / 1e6

    async def ready(self) -> dict[str, Any]:
        """The JSON line that a server prints once it listens."""
        assert self.child.stdout
        line = await asyncio.wait_for(self.child.stdout.readline(), _READY_SECONDS)
        if not line:
            raise BenchError(f"a process did not start:\n{self.tail()}")
        document: dict[str, Any] = json.loads(line)
        return document

    async def stop(self) -> int:
        """Ask it to end, as an operator would; returns its exit status."""
        if self.child.returncode is None:
            self.child.send_signal(signal.SIGTERM)
        try:
            return await asyncio.wait_for(self.child.wait(), _STOP_SECONDS)
        except TimeoutError:
            self.child.kill()
            await self.child.wait()
            raise BenchError(f"a process did not end within {_STOP_SECONDS} s:\n{self.tail()}") from None

    async def is_quiet(self, seconds: float) -> bool:
        """Whether it opens nothing and has little to do, less than a sixth of a core, over the time given."""
        opened, before = self._open_files(), self.cpu_seconds()
        await asyncio.sleep(seconds)
        return self._open_files() == opened and self.cpu_seconds() - before < seconds / 6

    def _open_files(self) -> int:
        return len(os.listdir(f"/proc/{self.child.pid}/fd"))  # noqa: PTH208 - names alone are counted

    def tail(self) -> str:
        """The end of its log."""
        return self.log.read_text(errors="replace")[-2000:]


@asynccontextmanager
async def process(
    arguments: Sequence[str], log: Path, environ: Mapping[str, str] | None = None
) -> AsyncIterator[Process]:
    """Run Python with arguments for as long as the context lasts."""
    with log.open("ab") as errors:
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
            env={**os.environ, **(environ or {})},
        )
    running = Process(child, log)
    try:
        yield running
    finally:
        await running.stop()
