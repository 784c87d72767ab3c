"""A child process of the local stack: started, asked whether it answers, watched, stopped."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Self

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import Mapping

START_SECONDS = 20.0
STOP_SECONDS = 2.5
REASON_LINES = 8
READ_BYTES = 65536
DIE_WITH_PARENT = Path(__file__).with_name("die_with_parent.py")


class StackError(Exception):
    """The local stack cannot start or go on; the text says why and what to do."""


@dataclass(frozen=True)
class Command:
    """What to start, and how to know that it answers: it gets `hello` on its port and begins with `answer`.

    The program prints one line of JSON with `ready` and `port` when it is, and ends on SIGTERM.
    """

    name: str
    arguments: tuple[str, ...]
    log: Path
    hello: bytes
    answer: bytes
    environment: Mapping[str, str] = field(default_factory=dict)
    umask: int = 0o077


class Child:
    """A running command; killed by the kernel when this process is.

    Start it in the main thread: to the kernel, the thread that started it is the parent.
    """

    def __init__(self, command: Command, process: Process) -> None:
        self.command = command
        self.ready: dict[str, Any] = {}
        self._process = process
        self._first_line: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._output = asyncio.create_task(self._read_output())

    @classmethod
    async def start(cls, command: Command) -> Self:
        """Start the command and wait until it answers.

        Raises:
            StackError: it cannot be started, ended, or does not answer in time.
        """
        child = cls(command, await _spawn(command))
        try:
            async with asyncio.timeout(START_SECONDS):
                child.ready = await child._read_ready()
                await child._probe()
        except TimeoutError:
            await child.stop()
            raise child._error(f"was not ready after {START_SECONDS:.0f} s") from None
        except BaseException:
            await child.stop()
            raise
        return child

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def port(self) -> int:
        """Where it listens on loopback."""
        return int(self.ready["port"])

    async def ended(self) -> StackError:
        """Wait until it has ended by itself; the error to raise then."""
        return self._error(f"ended ({await self._status()})")

    async def stop(self) -> None:
        """End it, by force when it does not end in time; does nothing when it has ended."""
        with suppress(ProcessLookupError):
            self._process.terminate()
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await self._process.wait()
                await self._output
        except TimeoutError:
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
            await self._process.wait()

    async def _read_output(self) -> None:
        """Read to the end: a full pipe would stop a child that prints more than its first line."""
        stdout = self._process.stdout
        if stdout is None:
            raise TypeError("started without a pipe")
        self._first_line.set_result(await stdout.readline())
        while await stdout.read(READ_BYTES):
            pass

    async def _read_ready(self) -> dict[str, Any]:
        line = await asyncio.shield(self._first_line)
        try:
            ready = json.loads(line)
        except ValueError:
            ready = None
        if isinstance(ready, dict) and ready.get("ready") and "port" in ready:
            return ready
        said = line.decode(errors="replace").strip()
        raise self._error(f"did not start ({said or await self._status()})")

    async def _probe(self) -> None:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            try:
                writer.write(self.command.hello)
                answer = await reader.readexactly(len(self.command.answer))
            finally:
                writer.close()
        except (OSError, EOFError) as error:
            raise self._error(f"says it is ready and does not answer ({error!r})") from error
        if answer != self.command.answer:
            raise self._error(f"answers {answer!r}, which is another protocol")

    async def _status(self) -> str:
        status = await self._process.wait()
        return f"exit status {status}" if status >= 0 else f"killed by {signal.Signals(-status).name}"

    def _error(self, what: str) -> StackError:
        lines = self.command.log.read_text(errors="replace").splitlines()[-REASON_LINES:]
        said = "".join(f"\n  {line}" for line in lines)
        return StackError(f"The {self.command.name} {what}.{said}\nAll it said: {self.command.log}")


async def _spawn(command: Command) -> Process:
    """Start it in a process group of its own: Ctrl-C is for the stack alone, which stops it in order."""
    try:
        with _fresh(command.log) as log:
            return await asyncio.create_subprocess_exec(
                *(sys.executable, "-IS", str(DIE_WITH_PARENT), str(os.getpid())),
                *command.arguments,
                stdin=DEVNULL,
                stdout=PIPE,
                stderr=log,
                env={**os.environ, **command.environment},
                process_group=0,
                umask=command.umask,
            )
    except OSError as error:
        raise StackError(f"The {command.name} cannot be started: {error}") from error


def _fresh(log: Path) -> BinaryIO:
    return os.fdopen(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")
