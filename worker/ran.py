"""What came of a job's program in its session, before anything of it is stored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from worker.result import Error, Status


@dataclass(frozen=True)
class Execution:
    """What the pool answered. ``timed_out`` and ``aborted`` are the platform's doing, in its own words."""

    outcome: Literal["succeeded", "failed", "timed_out", "aborted"]
    stdout: str
    stderr: str
    value: str | None
    allocate_ms: float | None
    execute_ms: float | None


@dataclass(frozen=True)
class Captured:
    """Bytes that a program left: whole in memory, or as a file that still lies in the session.

    Attributes:
        size: bytes captured.
        truncated: the program wrote more.
        data: the bytes, or None.
        name: the flat name of the session's file that has them, or None.
    """

    size: int
    truncated: bool = False
    data: bytes | None = None
    name: str | None = None


NOTHING = Captured(0, data=b"")


@dataclass(frozen=True)
class Ran:
    """The end of a job's program. Times are milliseconds, None where the service said nothing.

    ``unmeasured`` are paths of files in the session that were asked for, be they there or not.
    ``report`` is what a harness reported, a JSON object a line; None of a program that is none.
    """

    status: Status
    stdout: Captured = NOTHING
    stderr: Captured = NOTHING
    exit_code: int | None = None
    signal: str | None = None
    value: str | None = None
    error: Error | None = None
    files: tuple[tuple[str, Captured], ...] = ()
    unmeasured: tuple[str, ...] = ()
    allocate_ms: float | None = None
    execute_ms: float | None = None
    report: str | None = None
