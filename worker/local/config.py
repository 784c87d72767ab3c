"""What a local stack is started with, as a value and as a command line."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class StackConfig:
    """The settings of a local stack; everything it keeps is in `state_dir`."""

    state_dir: Path = Path(".jsworker")
    max_sessions: int = 4
    cooldown_seconds: float = 300
    spares: int = 1
    unsafe_no_sandbox: bool = False
    faults_file: Path | None = None

    def pool_arguments(self) -> tuple[str, ...]:
        """The options that are the session pool's, in its spelling."""
        numbers = {
            "--max-sessions": self.max_sessions,
            "--cooldown": self.cooldown_seconds,
            "--spares": self.spares,
        }
        return (
            *(f"{option}={value}" for option, value in numbers.items()),
            *(["--unsafe-no-sandbox"] if self.unsafe_no_sandbox else []),
        )

    def arguments(self) -> tuple[str, ...]:
        """The options that `parse` makes this configuration of again, wherever it runs."""
        return (
            f"--state-dir={self.state_dir.absolute()}",
            *([f"--faults={self.faults_file.absolute()}"] if self.faults_file else []),
            *self.pool_arguments(),
        )


def parse(arguments: Sequence[str] | None) -> tuple[StackConfig, int | None]:
    """The configuration, and the descriptor on which to announce it, of the stack as a program."""
    parser = argparse.ArgumentParser(prog="python -m worker.local.stack", description="Run the local stack.")
    parser.add_argument("--state-dir", type=Path, default=StackConfig.state_dir)
    parser.add_argument("--max-sessions", type=int, default=StackConfig.max_sessions)
    parser.add_argument("--cooldown", type=float, default=StackConfig.cooldown_seconds)
    parser.add_argument("--spares", type=int, default=StackConfig.spares)
    parser.add_argument("--faults", type=Path, default=None)
    parser.add_argument("--unsafe-no-sandbox", action="store_true")
    parser.add_argument("--announce-fd", type=int, default=None, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    config = StackConfig(
        state_dir=given.state_dir,
        max_sessions=given.max_sessions,
        cooldown_seconds=given.cooldown,
        spares=given.spares,
        unsafe_no_sandbox=given.unsafe_no_sandbox,
        faults_file=given.faults,
    )
    return config, given.announce_fd
