"""What a result counts as, in all formats alike: graded or not, its word, its points."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from worker.report.text import readable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MAX_COLUMNS = 1000  # of cases; a harness may be made to report any number of tests
_NOT_GRADED = {
    "infrastructure_failed": "infrastructure failed",
    "cancelled": "cancelled",
    "internal_error": "internal error",
}


@dataclass(frozen=True)
class Standing:
    """A submission among the others.

    ``word`` is its verdict or, without cases, its status. One that is not graded has a reason for that, and
    no points: not even none.
    """

    id: str
    name: str
    word: str
    not_graded: str | None = None
    points: float | None = None
    of: float | None = None

    @property
    def share(self) -> float | None:
        """The part of the points that was reached; None where there are no points to reach."""
        return self.points / self.of if self.points is not None and self.of else None


def standing(result: dict[str, Any]) -> Standing:
    """What a result counts as."""
    why = not_graded(result)
    score = (None if why else result.get("score")) or {}
    return Standing(
        result["id"],
        name_of(result["id"], result.get("metadata") or {}),
        why or result.get("verdict") or result["status"],
        why,
        score.get("points"),
        score.get("of"),
    )


def missing(job_id: str, names: Mapping[str, str]) -> Standing:
    """What a job without a result counts as."""
    return Standing(job_id, names.get(job_id, job_id), "no result yet", "no result yet")


def not_graded(result: dict[str, Any]) -> str | None:
    """Why a submission has no marks, which is not its own fault; None where it has.

    One case that could not be judged is enough: the points would be too few.
    """
    verdicts = [result.get("verdict"), *(case["verdict"] for case in result.get("cases") or ())]
    found = (_NOT_GRADED.get(word) for word in (result["status"], *verdicts) if word)
    return next((why for why in found if why), None)


def name_of(job_id: str, metadata: Mapping[str, Any]) -> str:
    """The name to show: the student's, if the job was given one."""
    return readable(str(metadata.get("student") or job_id))


def case_names(cases: Sequence[dict[str, Any]]) -> list[str]:
    """The names of a job's cases, made different where several are the same."""
    seen: Counter[str] = Counter()
    names = []
    for case in cases:
        seen[case["name"]] += 1
        names.append(case["name"] + (f" ({seen[case['name']]})" if seen[case["name"]] > 1 else ""))
    return names


def words(word: str) -> str:
    """A verdict or status in words."""
    return word.replace("_", " ")
