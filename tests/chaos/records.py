"""What a run leaves behind, as values: the checker judges by these and by nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Expected:
    """What must come of a job, whatever happens around it.

    Attributes:
        status: the result's.
        stdout: all that the program prints; None where that is not judged.
        healthy: it can run, so that it must neither be dead-lettered nor run out of attempts.
        once: it was sent in one message only, so that whoever runs it twice does so for another reason.
    """

    status: str
    stdout: str | None = None
    exit_code: int | None = None
    verdict: str | None = None
    healthy: bool = True
    once: bool = True


@dataclass(frozen=True)
class Execution:
    """One call that ran a job's code, as the relay before the pool saw it; in seconds of one clock.

    Attributes:
        ended: when its answer came, or its connection broke; None when neither happened.
        status: the HTTP status of the answer, None without one.
    """

    job: str
    began: float
    ended: float | None = None
    status: int | None = None


@dataclass(frozen=True)
class DeadLetter:
    """A message of the dead-letter queue; ``job`` is None when the body names none."""

    sequence_number: int
    job: str | None
    reason: str


@dataclass(frozen=True)
class Records:
    """All that is known at the end of a run.

    Attributes:
        expected: what was submitted under a name, by job.
        nameless: how many messages without a usable job id were surely sent.
        uncertain: how many messages may have been sent once more than asked for.
        results: the committed results, by job; of nameless ones by ``message-<sequence number>``.
        sightings: each look at the results on the way: their ETags by job.
        etags: the ETags at the end.
        lines: the progress records' lines.
        waiting: message ids still in the queue.
        sampled: the numbers of allocated sessions seen at the pool.
        sessions: the identifiers allocated at the end.
        permits: the names of permits still leased at the end.
        exits: the exit statuses of the workers that were asked to stop, by name.
        defects: log events that no fault of a service excuses, by event.
    """

    expected: Mapping[str, Expected]
    nameless: int = 0
    uncertain: int = 0
    results: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    sightings: tuple[Mapping[str, str], ...] = ()
    etags: Mapping[str, str] = field(default_factory=dict)
    lines: tuple[Mapping[str, Any], ...] = ()
    dead_letters: tuple[DeadLetter, ...] = ()
    waiting: tuple[str, ...] = ()
    executions: tuple[Execution, ...] = ()
    sampled: tuple[int, ...] = ()
    sessions: tuple[str, ...] = ()
    permits: tuple[str, ...] = ()
    exits: tuple[tuple[str, int | None], ...] = ()
    defects: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Broken:
    """An invariant that did not hold, and what shows it."""

    rule: str
    evidence: str
