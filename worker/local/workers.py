"""The workers beside a local stack, told of in its state directory, so that they can be looked at."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from worker.local.process import Process
from worker.local.state import StateDirectory, write_private

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FOLDER = "workers"


def tell_of(state_dir: Path, port: int) -> None:
    """Tell that a worker in this process answers on this port; what is told of ended processes goes."""
    folder = StateDirectory(state_dir).folder(FOLDER)
    for file, record in _records(folder):
        if not _runs(record):
            file.unlink(missing_ok=True)
    process = Process.of(os.getpid())
    write_private(folder / f"{os.getpid()}.json", json.dumps({**vars(process), "port": port}))


def withdraw(state_dir: Path) -> None:
    """This process has no worker any more."""
    (state_dir / FOLDER / f"{os.getpid()}.json").unlink(missing_ok=True)


def ports(state_dir: Path) -> list[int]:
    """The ports of the workers that run, the one that was started last first."""
    running = [(file, record) for file, record in _records(state_dir / FOLDER) if _runs(record)]
    running.sort(key=lambda entry: entry[0].stat().st_mtime_ns, reverse=True)
    return [int(record["port"]) for _, record in running]


def _records(folder: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    for file in folder.glob("*.json"):
        try:
            record = json.loads(file.read_text())
        except (OSError, ValueError):
            continue  # just removed
        if isinstance(record, dict):
            yield file, record


def _runs(record: dict[str, Any]) -> bool:
    process = Process.of(record.get("pid", 0))
    return process is not None and process.start_time == record.get("start_time")
