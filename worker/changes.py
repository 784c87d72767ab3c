"""What is different between generations of a batch: verdicts and points, of each submission and in all."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from worker.outcomes import outcomes
from worker.report import MAX_RESULT_BYTES
from worker.result import Result
from worker.together import together

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from worker.batch import Entry, Store
    from worker.outcomes import Outcome
    from worker.views import View

NO_RESULT = "no_result"


@dataclass(frozen=True)
class Seen:
    """One view of a batch, and how its jobs ended in it; those without a result are not among them."""

    view: View
    ended: Mapping[str, Outcome]

    def word(self, job_id: str) -> str:
        """The verdict or status of a job that the view has."""
        return self.ended[job_id].word if job_id in self.ended else NO_RESULT

    def points(self, job_id: str) -> float | None:
        """The points of a job; None where nothing was graded."""
        return self.ended[job_id].points if job_id in self.ended else None


@dataclass(frozen=True)
class Total:
    """What came out of jobs in one view."""

    jobs: int
    graded: int
    accepted: int
    points: float
    of: float


@dataclass(frozen=True)
class Change:
    """A job whose verdict or points are not the same."""

    id: str
    name: str
    before: str
    after: str
    points_before: float | None
    points_after: float | None

    @property
    def gain(self) -> float | None:
        """The points more; None unless both are known."""
        if self.points_before is None or self.points_after is None:
            return None
        return self.points_after - self.points_before


@dataclass(frozen=True)
class Difference:
    """Two views compared on the jobs that both have.

    Attributes:
        before: the first view.
        after: the second.
        changes: the jobs that are not the same, in the batch's order.
        matrix: how many jobs went from which verdict to which.
        totals: of both views.
        only_before: jobs that only the first has.
        only_after: jobs that only the second has.
    """

    before: View
    after: View
    changes: tuple[Change, ...]
    matrix: Counter[tuple[str, str]]
    totals: tuple[Total, Total]
    only_before: tuple[str, ...]
    only_after: tuple[str, ...]


@dataclass(frozen=True)
class Unstable:
    """A job that was graded several times and not always the same.

    Attributes:
        id: the job.
        name: whose it is.
        verdicts: in each run that graded it, with its number and points.
        cases: of each case that varies the verdicts seen, the most frequent first.
    """

    id: str
    name: str
    verdicts: tuple[tuple[int, str, float | None], ...]
    cases: Mapping[str, tuple[str, ...]]


async def seen(store: Store, view: View) -> Seen:
    """Read how the jobs of a view ended."""
    return Seen(view, await outcomes(store, view.places))


def display_name(entry: Entry) -> str:
    """Whose job it is, as the manifest has it; untrusted."""
    return str(entry.metadata.get("student") or entry.id)


def difference(before: Seen, after: Seen) -> Difference:
    """Compare two views."""
    both = [entry for entry in before.view.entries if entry.id in after.view.places]
    ids = [entry.id for entry in both]
    changes = (_change(entry, before, after) for entry in both)
    return Difference(
        before=before.view,
        after=after.view,
        changes=tuple(change for change in changes if change),
        matrix=Counter((before.word(job_id), after.word(job_id)) for job_id in ids),
        totals=(_total(before, ids), _total(after, ids)),
        only_before=tuple(job_id for job_id in before.view.places if job_id not in after.view.places),
        only_after=tuple(job_id for job_id in after.view.places if job_id not in before.view.places),
    )


async def unstable(store: Store, runs: Sequence[Seen]) -> list[Unstable]:
    """The jobs that the runs did not grade alike; what the platform failed says nothing of a program.

    The results are read of those that were not accepted every time: their cases may vary under one verdict.
    """
    entries = {entry.id: entry for run in runs for entry in run.view.entries}
    doubtful = [entry for entry in entries.values() if _is_doubtful(_grades(runs, entry.id))]
    looked_into = await together(lambda entry: _looked_into(store, runs, entry), doubtful)
    return [each for each in looked_into if each.cases or len({verdict[1:] for verdict in each.verdicts}) > 1]


def not_graded(runs: Iterable[Seen]) -> dict[int, list[str]]:
    """By the number of a run the jobs that it has not graded, if any."""
    found = {
        run.view.numbers[0]: [job_id for job_id in run.view.places if _grade(run, job_id) is None]
        for run in runs
    }
    return {number: ids for number, ids in found.items() if ids}


def _change(entry: Entry, before: Seen, after: Seen) -> Change | None:
    job_id = entry.id
    words = before.word(job_id), after.word(job_id)
    points = before.points(job_id), after.points(job_id)
    if words[0] == words[1] and points[0] == points[1]:
        return None
    return Change(job_id, display_name(entry), *words, *points)


def _total(run: Seen, ids: Iterable[str]) -> Total:
    ended = [run.ended[job_id] for job_id in ids if job_id in run.ended]
    return Total(
        jobs=len(ended),
        graded=sum(outcome.is_graded for outcome in ended),
        accepted=sum(outcome.is_accepted for outcome in ended),
        points=sum(outcome.points or 0 for outcome in ended),
        of=sum(outcome.of or 0 for outcome in ended),
    )


def _grade(run: Seen, job_id: str) -> tuple[str, float | None] | None:
    outcome = run.ended.get(job_id)
    return (outcome.word, outcome.points) if outcome and outcome.is_graded else None


def _grades(runs: Iterable[Seen], job_id: str) -> list[tuple[str, float | None]]:
    return [grade for grade in (_grade(run, job_id) for run in runs) if grade]


def _is_doubtful(grades: Sequence[tuple[str, float | None]]) -> bool:
    return len(grades) > 1 and {word for word, _ in grades} != {"accepted"}


async def _looked_into(store: Store, runs: Sequence[Seen], entry: Entry) -> Unstable:
    graded = [run for run in runs if _grade(run, entry.id)]
    verdicts = tuple((run.view.numbers[0], run.word(entry.id), run.points(entry.id)) for run in graded)
    results = [await store.read(run.view.result(entry.id), limit=MAX_RESULT_BYTES) for run in graded]
    cases = _varying(Result.model_validate_json(content.data) for content in results)
    return Unstable(entry.id, display_name(entry), verdicts, cases)


def _varying(results: Iterable[Result]) -> dict[str, tuple[str, ...]]:
    seen_in: dict[str, Counter[str]] = {}
    for result in results:
        for case in result.cases:
            seen_in.setdefault(case.name, Counter())[case.verdict] += 1
    return {
        name: tuple(verdict for verdict, _ in counts.most_common())
        for name, counts in seen_in.items()
        if len(counts) > 1
    }
