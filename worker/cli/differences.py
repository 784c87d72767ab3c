"""How differences between generations are shown, to people and to programs."""

from __future__ import annotations

import csv
from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from worker.explaining import counted
from worker.report import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import TextIO

    from worker.changes import Change, Difference, Total, Unstable

NAMED = 20
_CORNER = "BEFORE / AFTER"
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def table(batch: str, found: Difference) -> Iterator[str]:
    """The jobs that changed, the matrix and the totals."""
    yield f"{batch}: {found.before.title} -> {found.after.title}"
    yield ""
    if found.changes:
        yield from _changes(found.changes)
        yield ""
    yield from _matrix(found.matrix)
    yield ""
    for side, total in zip((found.before, found.after), found.totals, strict=True):
        yield f"{side.title}: {_total(total)}"
    yield f"{counted(len(found.changes), 'job')} of {found.matrix.total()} changed"
    for side, ids in ((found.before, found.only_before), (found.after, found.only_after)):
        if ids:
            yield f"only in {side.title}: {len(ids)} ({_listed(ids)})"


def document(batch: str, found: Difference) -> dict[str, Any]:
    """All of it, for programs."""
    sides = zip((found.before, found.after), found.totals, strict=True)
    before, after = ({"generations": side.numbers, **asdict(total)} for side, total in sides)
    matrix = [{"before": a, "after": b, "jobs": jobs} for (a, b), jobs in sorted(found.matrix.items())]
    return {
        "batch": batch,
        "before": before,
        "after": after,
        "changed": [asdict(change) for change in found.changes],
        "matrix": matrix,
        "only_before": found.only_before,
        "only_after": found.only_after,
    }


def write_csv(found: Difference, out: TextIO) -> None:
    """The jobs that changed, a row each."""
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["id", "name", "before", "after", "points_before", "points_after", "gain"])
    for each in found.changes:
        points = (each.points_before, each.points_after, each.gain)
        writer.writerow([*map(harmless, (each.id, each.name, each.before, each.after)), *map(number, points)])


def unstable_table(varying: Sequence[Unstable]) -> Iterator[str]:
    """A line for each job that was not always graded the same."""
    if varying:
        width = max(2, *(len(each.id) for each in varying))
        words = [_counted(verdict for _, verdict, _ in each.verdicts) for each in varying]
        wide = max(len("VERDICTS"), *map(len, words))
        yield f"{'ID':<{width}}  {'VERDICTS':<{wide}}  CASES THAT VARY"
        for each, text in zip(varying, words, strict=True):
            cases = "; ".join(f"{name}: {', '.join(verdicts)}" for name, verdicts in each.cases.items())
            yield f"{each.id:<{width}}  {text:<{wide}}  {printable(cases)}".rstrip()


def unstable_document(
    batch: str, numbers: Sequence[int], varying: Sequence[Unstable], ungraded: Mapping[int, Sequence[str]]
) -> dict[str, Any]:
    """All of it, for programs."""
    return {
        "batch": batch,
        "generations": numbers,
        "unstable": [_unstable(each) for each in varying],
        "not_graded": {str(run): ids for run, ids in ungraded.items()},
    }


def write_unstable(varying: Iterable[Unstable], out: TextIO) -> None:
    """A row for each job and run."""
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["id", "name", "generation", "verdict", "points"])
    for each in varying:
        for run, verdict, points in each.verdicts:
            writer.writerow([harmless(each.id), harmless(each.name), run, verdict, number(points)])


def unstable_summary(
    batch: str, numbers: Sequence[int], varying: Sequence[Unstable], ungraded: Mapping[int, Sequence[str]]
) -> Iterator[str]:
    """What the runs came to, in a line, and what they say nothing of."""
    runs = f"generations {', '.join(map(str, numbers))}"
    yield f"{batch}: {counted(len(varying), 'job')} not graded alike in {runs}"
    for run, ids in ungraded.items():
        yield f"  generation {run} has not graded {counted(len(ids), 'job')}: {_listed(ids)}"


def harmless(text: str) -> str:
    """Text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def number(value: float | None) -> str:
    """Points as people write them; empty where there are none."""
    return "" if value is None else f"{value:g}"


def _unstable(each: Unstable) -> dict[str, Any]:
    verdicts = [{"generation": run, "verdict": word, "points": points} for run, word, points in each.verdicts]
    return {"id": each.id, "name": each.name, "verdicts": verdicts, "cases": dict(each.cases)}


def _changes(changes: Sequence[Change]) -> Iterator[str]:
    width = max(2, *(len(change.id) for change in changes))
    named = any(change.name != change.id for change in changes)
    headings = f"{'ID':<{width}}  {'BEFORE':<21}  {'AFTER':<21}  {'POINTS':<16}"
    yield f"{headings}  {'NAME' if named else ''}".rstrip()
    for change in changes:
        row = f"{change.id:<{width}}  {change.before:<21}  {change.after:<21}  {_points(change):<16}"
        yield f"{row}  {printable(change.name) if named else ''}".rstrip()


def _points(change: Change) -> str:
    before, after = number(change.points_before) or "-", number(change.points_after) or "-"
    return "" if before == after == "-" else f"{before} -> {after}"


def _matrix(matrix: Counter[tuple[str, str]]) -> Iterator[str]:
    """A row for each verdict before, a column for each after."""
    rows = sorted({before for before, _ in matrix})
    columns = sorted({after for _, after in matrix})
    width = max([len(_CORNER), *map(len, rows)])
    yield "  ".join([f"{_CORNER:<{width}}", *columns])
    for before in rows:
        cells = (f"{matrix[before, after] or '.':>{len(after)}}" for after in columns)
        yield "  ".join([f"{before:<{width}}", *cells])


def _total(total: Total) -> str:
    points = f", {number(total.points)} of {number(total.of)} points" if total.of else ""
    ungraded = f", {total.jobs - total.graded} not graded" if total.jobs > total.graded else ""
    return f"{counted(total.jobs, 'result')}, {total.accepted} accepted{points}{ungraded}"


def _counted(verdicts: Iterable[str]) -> str:
    counts = Counter(verdicts).most_common()
    return ", ".join(f"{verdict} x{times}" for verdict, times in counts)


def _listed(ids: Sequence[str]) -> str:
    return ", ".join(ids[:NAMED]) + (f" and {len(ids) - NAMED} more" if len(ids) > NAMED else "")
