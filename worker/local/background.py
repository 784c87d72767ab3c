"""The local stack in the background: started detached, looked up, stopped."""

from __future__ import annotations

import json
import os
import signal
from contextlib import suppress
from typing import TYPE_CHECKING

from worker.local.roles import MODULE_PATH, PYTHON
from worker.local.state import StateDirectory
from worker.local.supervised import StackError

if TYPE_CHECKING:
    from pathlib import Path

    from worker.local.config import StackConfig

STOP_SECONDS = 10.0


def start_in_background(config: StackConfig) -> dict[str, str]:
    """Start a stack in a process of its own that outlives this one; its environment once it is ready.

    Raises:
        StackError: it did not come up; the text says why.
    """
    log = StateDirectory(config.state_dir).folder("logs") / "stack.log"
    receiver, sender = os.pipe()
    pid = _spawn_detached(config, log, sender)
    os.close(sender)
    try:
        with os.fdopen(receiver) as pipe:
            news = json.loads(pipe.read() or "{}")
    except BaseException:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        raise
    if "environment" not in news:
        os.waitpid(pid, 0)
        raise StackError(news.get("error", f"The local stack ended while it started. All it said: {log}"))
    return {str(name): str(value) for name, value in news["environment"].items()}


def running(state_dir: Path) -> dict[str, str] | None:
    """The environment of the stack that runs on this directory; None when none is ready."""
    return StateDirectory(state_dir).environment()


def stop(state_dir: Path) -> bool:
    """Stop the stack that runs on this directory and wait until it has ended; whether there was one."""
    holder = StateDirectory(state_dir).holder()
    if holder is None:
        return False
    holder.end(grace_seconds=STOP_SECONDS)
    return True


def _spawn_detached(config: StackConfig, log: Path, announce: int) -> int:
    """Start the stack in a session of its own; not by `subprocess`, which wants its children waited for."""
    descriptor = 3
    command = (*PYTHON, "worker.local.stack", *config.arguments(), f"--announce-fd={descriptor}")
    return os.posix_spawn(
        command[0],
        command,
        {**os.environ, **MODULE_PATH},
        setsid=True,
        file_actions=[
            (os.POSIX_SPAWN_DUP2, announce, descriptor),
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(log), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
    )
