"""Cases proved by programs that are known to be right, which must pass, and wrong, which must not."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from worker.batch import digest
from worker.shared_cases import SharedCases
from worker.students import job_id
from worker.submission import programs

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from worker.candidate import Candidate, Source
    from worker.cases_source import ReadCases

Role = Literal["right", "wrong"]
SLOW = 0.5  # of its time limit: on a busy day it would not be enough
_UNGRADED = {"infrastructure_failed", "cancelled"}


@dataclass(frozen=True)
class Renamed:
    """A job under an id and in a batch that are not those of its source."""

    source: Source
    id: str
    batch: str

    def load(self) -> tuple[dict[str, Any], dict[str, bytes]]:
        """The job under its new name, and the blobs that are to be uploaded for it."""
        document, blobs = self.source.load()
        return {**document, "id": self.id, "batch": self.batch}, blobs


@dataclass(frozen=True)
class Tried:
    """A program that was run with the cases, and the result of it."""

    name: str
    role: Role
    result: Mapping[str, Any]

    @property
    def is_graded(self) -> bool:
        """Whether its result says anything of the program."""
        return self.result["status"] not in _UNGRADED and self.result.get("verdict") != "internal_error"

    @property
    def cases(self) -> Sequence[Mapping[str, Any]]:
        """How its cases went; none if it was rejected."""
        cases: Sequence[Mapping[str, Any]] = self.result.get("cases") or ()
        return cases

    @property
    def failed(self) -> list[Mapping[str, Any]]:
        """The cases that it failed."""
        return [case for case in self.cases if case["verdict"] not in {"accepted", "skipped"}]

    @property
    def is_as_expected(self) -> bool:
        """Accepted if it is right, and if it is wrong caught by a case."""
        return self.result.get("verdict") == "accepted" if self.role == "right" else bool(self.failed)


@dataclass(frozen=True)
class Slow:
    """A case that takes a right program much of its time limit."""

    case: str
    program: str
    seconds: float
    limit: float


@dataclass(frozen=True)
class Proof:
    """What the programs say of the cases; ``limits`` are the time limits of cases that have their own."""

    tried: tuple[Tried, ...]
    limits: Mapping[str, float]
    default_limit: float

    @property
    def ungraded(self) -> list[Tried]:
        """Programs that the platform failed: they prove nothing."""
        return [tried for tried in self.tried if not tried.is_graded]

    @property
    def unexpected(self) -> list[Tried]:
        """Right programs that are not accepted, and wrong ones that no case catches."""
        return [tried for tried in self.tried if tried.is_graded and not tried.is_as_expected]

    @property
    def cases(self) -> list[str]:
        """The names of the cases, in their order."""
        return list(dict.fromkeys(case["name"] for tried in self.tried for case in tried.cases))

    @cached_property
    def caught(self) -> dict[str, set[str]]:
        """The wrong programs that fail a case, for each case that any fails."""
        caught = defaultdict(set)
        for tried in self.tried:
            for case in tried.failed if tried.role == "wrong" else ():
                caught[case["name"]].add(tried.name)
        return dict(caught)

    @property
    def idle(self) -> list[str]:
        """The cases that every wrong program passes; none when there is no wrong program."""
        has_wrong = any(tried.role == "wrong" for tried in self.tried)
        return [case for case in self.cases if case not in self.caught] if has_wrong else []

    @cached_property
    def slowest(self) -> dict[str, Slow]:
        """The right program that takes the longest, for each case that has times."""
        slowest: dict[str, Slow] = {}
        for tried in self.tried:
            for case in tried.cases if tried.role == "right" else ():
                slow = self._timed(case, tried.name)
                if slow and (slow.case not in slowest or slow.seconds > slowest[slow.case].seconds):
                    slowest[slow.case] = slow
        return slowest

    @property
    def slow(self) -> list[Slow]:
        """Cases that take a right program over half of their time limit."""
        return [slow for slow in self.slowest.values() if slow.seconds > SLOW * slow.limit]

    def _timed(self, case: Mapping[str, Any], program: str) -> Slow | None:
        name, milliseconds = case["name"], case.get("duration_ms")
        if milliseconds is None:
            return None
        return Slow(name, program, milliseconds / 1000, self.limits.get(name, self.default_limit))


def trials(paths: Iterable[Path], role: Role, batch: str) -> list[Candidate]:
    """The programs of files and folders as jobs whose ids say what they are taken for.

    Raises:
        BatchError: there are none.
    """
    return [_renamed(candidate, role, batch) for candidate in programs(paths, f"{batch}.{role}")]


def laid_open(cases: ReadCases) -> SharedCases:
    """The cases with nothing hidden and no end at the first failure: whoever proves them wants to see all."""
    document = {**cases.document, "stop_at_first_failure": False}
    if "cases" in document:
        document["cases"] = [{**case, "hidden": False} for case in document["cases"]]
    return SharedCases(replace(cases, document=document).data)


def _renamed(candidate: Candidate, role: Role, batch: str) -> Candidate:
    source = Renamed(candidate.source, job_id(f"{role}-{candidate.entry.id}"), batch)
    document, _ = source.load()
    entry = replace(candidate.entry, id=source.id, digest=digest(document))
    return replace(candidate, batch=batch, entry=entry, source=source)
