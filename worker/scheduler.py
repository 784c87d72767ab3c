"""The loop of a scheduler: the queue is supplied again and again, with what the file says by then."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from worker.clock import now
from worker.faults import ConfigurationFault, SchedulesError, ServiceFault
from worker.schedules_file import MAX_BYTES, parse_schedules

if TYPE_CHECKING:
    from datetime import timedelta
    from pathlib import Path

    from worker.schedule import SchedulesFile
    from worker.supplying import Supply

log = structlog.get_logger()
LOOK_SECONDS = 2.0  # between two looks at the file
LONGEST_PAUSE_SECONDS = 60.0
AFTER_FAULT_SECONDS = 10.0


class WatchedFile:
    """A file of schedules that may change; the last one that could be used counts.

    Raises:
        SchedulesError: the first one cannot be used.
        OSError: it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._data: bytes | None = self._read()
        self.file = parse_schedules(self._data, path.name)

    def has_changed(self) -> bool:
        """Whether there is another one now that can be used; what cannot is said once."""
        try:
            data = self._read()
        except OSError as error:
            if self._data is not None:
                log.error("schedules_unreadable", reason=str(error))  # noqa: TRY400 - all is said
            self._data = None
            return False
        if data == self._data:
            return False
        self._data = data
        return self._takes(data)

    def _takes(self, data: bytes) -> bool:
        try:
            file = parse_schedules(data, self._path.name)
        except SchedulesError as error:
            log.error("schedules_invalid", problems=str(error).splitlines())  # noqa: TRY400 - all is said
            return False
        is_other, self.file = file != self.file, file
        log.info("schedules_read", schedules=len(file.schedules))
        return is_other

    def _read(self) -> bytes:
        with self._path.open("rb") as file:
            return file.read(MAX_BYTES + 1)


async def keep_supplied(supply: Supply, watched: WatchedFile, horizon: timedelta) -> None:
    """Keep one queue supplied until the file names another; this one is left empty then.

    A queue or a store that is out of reach is tried again, for as long as it takes.
    """
    file = watched.file
    while watched.file.queue == file.queue:
        file = watched.file
        pause = min(horizon.total_seconds() / 5, LONGEST_PAUSE_SECONDS)
        if not await _is_supplied(supply, file, horizon):
            pause = min(pause, AFTER_FAULT_SECONDS)
        await _change(watched, pause)
    await _is_supplied(supply, file.model_copy(update={"schedules": ()}), horizon)


async def _is_supplied(supply: Supply, file: SchedulesFile, horizon: timedelta) -> bool:
    try:
        await supply.sync(file, horizon)
    except ServiceFault as fault:
        level = "error" if isinstance(fault, ConfigurationFault) else "warning"
        getattr(log, level)("supply_failed", reason=str(fault))
        return False
    return True


async def _change(watched: WatchedFile, seconds: float) -> None:
    """Wait until the file has changed, or a time has passed."""
    end = now() + seconds
    while (left := end - now()) > 0:
        await asyncio.sleep(min(left, LOOK_SECONDS))
        if watched.has_changed():
            return
