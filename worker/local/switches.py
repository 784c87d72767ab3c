"""The faults of one service as they are now: they follow their file; chance decides where there is a rate."""

import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from worker.local.faults import Faults, FaultsError, read_faults

LOOK_SECONDS = 0.2

Section = TypeVar("Section")


class Tell(Protocol):
    """Logs an event with its fields."""

    def __call__(self, event: str, /, **fields: object) -> None:
        """Log it."""


def _silent(_event: str, /, **_fields: object) -> None:
    return


class FaultsFile:
    """A file of faults that may change; while there is none, all faults are off.

    Raises:
        FaultsError: what it says at first cannot be used.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._signature = _signature(path)
        self._looked = time.monotonic()
        self.faults = self._read()

    def changed(self) -> bool:
        """Whether it was read again, for it changed. Looks at the file five times a second at most.

        Raises:
            FaultsError: what it says now cannot be used; told once for each state of the file.
        """
        if time.monotonic() - self._looked < LOOK_SECONDS:
            return False
        self._looked = time.monotonic()
        before, self._signature = self._signature, _signature(self._path)
        if self._signature == before:
            return False
        self.faults = self._read()
        return True

    def _read(self) -> Faults:
        return read_faults(self._path) if self._path.exists() else Faults()


class Switches(Generic[Section]):
    """`now` is what holds at the moment; where no file is followed it may be set. What happens is told."""

    def __init__(self, now: Section, tell: Tell = _silent) -> None:
        self.now = now
        self._tell = tell
        self._random = random.Random()  # noqa: S311 - no secret depends on it
        self._seed: int | None = None
        self._file: FaultsFile | None = None
        self._section: Callable[[Faults], Section]

    def follow(self, file: FaultsFile, section: Callable[[Faults], Section]) -> None:
        """Do what a section of this file says, from now on and after each `refresh`."""
        self._file, self._section = file, section
        self._take(file.faults)

    def refresh(self) -> None:
        """Take over what the file says if it changed, and can be used; to be called a few times a second."""
        if self._file is None:
            return
        try:
            if self._file.changed():
                self._take(self._file.faults)
                self._tell("faults_changed")
        except FaultsError as error:
            self._tell("faults_refused", error=str(error))

    def happens(self, rate: str) -> bool:
        """Whether the fault with this rate happens this time."""
        return self.happens_at(rate, getattr(self.now, rate))

    def happens_at(self, rate: str, probability: float) -> bool:
        """Whether the fault with this rate happens this time, where it is this probable."""
        if not probability or self._random.random() >= probability:
            return False
        self._tell("fault_injected", fault=rate)
        return True

    def within(self, seconds: float) -> float:
        """Return a time up to this one, by chance."""
        return self._random.uniform(0, seconds)

    def _take(self, faults: Faults) -> None:
        self.now = self._section(faults)
        if faults.seed != self._seed:
            self._seed = faults.seed
            self._random.seed(faults.seed)


def _signature(path: Path) -> tuple[int, int, int] | None:
    """What differs when the file was written again, or replaced."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
