"""The limits of a run, with the worker's defaults filled in and its maxima kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from worker.faults import JobRejected

if TYPE_CHECKING:
    from worker.model import Limits
    from worker.settings import WorkerSettings


@dataclass(frozen=True)
class Bounds:
    """The limits of a run with the worker's defaults filled in."""

    timeout_seconds: float
    memory_mb: int
    output_bytes: int


def bounds_of(limits: Limits, field: str, settings: WorkerSettings) -> Bounds:
    """What a run may use.

    Raises:
        JobRejected: ``limit_exceeded``: the worker's maximum is lower.
    """

    def limit(name: str) -> float:
        asked, maximum = getattr(limits, name), getattr(settings, f"max_{name}")
        if asked is not None and asked > maximum:
            message = f"{asked} is above the maximum of {maximum}"
            raise JobRejected("limit_exceeded", message, f"{field}.{name}")
        value: float = getattr(settings, f"default_{name}") if asked is None else asked
        return value

    return Bounds(limit("timeout_seconds"), int(limit("memory_mb")), int(limit("output_bytes")))
