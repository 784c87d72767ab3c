"""The workers of a run: started, killed, stopped, paused, and started again."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.chaos import logs

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import Mapping

ROOT = Path(__file__).parents[2]
_DIE_WITH_PARENT = ROOT / "worker" / "local" / "die_with_parent.py"
_PREFIX = "JSWORKER_"


@dataclass
class Member:
    """One process; each start of it has a name and a log of its own."""

    name: str
    process: Process
    log: Path
    command: tuple[str, ...]

    @property
    def is_running(self) -> bool:
        return self.process.returncode is None

    @property
    def has_begun(self) -> bool:
        """Whether it has logged anything; while it is being loaded it has no handler of signals yet."""
        return self.log.stat().st_size > 0

    def signal(self, number: signal.Signals) -> None:
        """Does nothing when it has ended."""
        with suppress(ProcessLookupError):
            self.process.send_signal(number)


class Fleet:
    """Workers, and other commands, with the same settings, each with an instance name of its own.

    Attributes:
        exits: the exit status of those that were asked to stop, by name; None when it had to be killed.
        logs: the logs of all that ever ran.
    """

    def __init__(self, folder: Path, settings: Mapping[str, str]) -> None:
        self._folder, self._settings = folder, settings
        self._count = 0
        self.members: list[Member] = []
        self.exits: list[tuple[str, int | None]] = []
        self.ended_alone: list[tuple[str, int | None]] = []
        self.logs: list[Path] = []

    async def start(self, *command: str) -> Member:
        """Start one more, a worker unless another command is given; it is killed when this process ends."""
        command = command or ("run",)
        self._count += 1
        name = f"{'worker' if command == ('run',) else command[0]}-{self._count}"
        log = self._folder / f"{name}.log"
        with log.open("ab") as stderr:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-IS", str(_DIE_WITH_PARENT), str(os.getpid())),
                *(sys.executable, "-P", "-m", "worker.cli", *command),
                cwd=ROOT,
                env=self._environment(name),
                stderr=stderr,
                process_group=0,
            )
        member = Member(name, process, log, command)
        self.members.append(member)
        self.logs.append(log)
        return member

    async def kill(self, member: Member) -> None:
        """Kill without a warning."""
        self.members.remove(member)
        member.signal(signal.SIGKILL)
        await member.process.wait()

    async def stop(self, member: Member, seconds: float) -> None:
        """Ask it to end, and note how it did; not of one that has not begun, which nothing is promised of."""
        self.members.remove(member)
        member.signal(signal.SIGTERM)
        try:
            status: int | None = await asyncio.wait_for(member.process.wait(), seconds)
        except TimeoutError:
            status = None
            member.signal(signal.SIGKILL)
            await member.process.wait()
        if member.has_begun:
            self.exits.append((member.name, status))

    async def stop_all(self, seconds: float) -> None:
        """Ask all to end, at once."""
        await asyncio.gather(*(self.stop(member, seconds) for member in list(self.members)))

    async def kill_all(self) -> None:
        """Leave none behind."""
        for member in list(self.members):
            await self.kill(member)

    def reap(self) -> int:
        """Forget, and note, those that ended though nobody asked them to; how many these are."""
        ended = [member for member in self.members if not member.is_running]
        for member in ended:
            self.members.remove(member)
            self.ended_alone.append((member.name, member.process.returncode))
        return len(ended)

    def events(self) -> list[dict[str, Any]]:
        """What all of them have logged so far."""
        return list(logs.events(self.logs))

    def _environment(self, name: str) -> dict[str, str]:
        own = {key: value for key, value in os.environ.items() if not key.startswith(_PREFIX)}
        return {**own, "PYTHONPATH": str(ROOT), **self._settings, "JSWORKER_INSTANCE": name}
