"""What `jsworker cases check` shows, line by line. Output of programs is shown, never interpreted."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len, set_cell_size

from worker.report import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from worker.case import Case, CasesFile
    from worker.proving import Proof, Slow, Tried

WIDEST = 40
_NAMED = 10
_DETAIL_LINES = 6
_HEADINGS = ("CASE", "COMPARE", "POINTS", "HIDDEN", "SECONDS", "MB", "OUTPUT")


def of_cases(path: Path, file: CasesFile, proof: Proof | None = None) -> Iterator[str]:
    """A table of the cases, with what programs said of each of them."""
    points = math.fsum(case.points for case in file.cases)
    hidden = sum(case.hidden for case in file.cases)
    also = [f"{hidden} hidden"] if hidden else []
    also += (
        ["a harness, whose tests are the cases" if not file.cases else "a harness"] if file.harness else []
    )
    also += ["a checker"] if file.checker else []
    also += ["stops at the first failure"] if file.stop_at_first_failure else []
    yield ", ".join([f"{path}: {_count(len(file.cases), 'case')}", f"{points:g} points", *also])
    yield from _twice(file.cases)
    if file.cases:
        headings = _HEADINGS + (("SLOWEST", "CAUGHT") if proof else ())
        yield from _columns([headings, *(_row(case, proof) for case in file.cases)])


def _twice(cases: Sequence[Case]) -> Iterator[str]:
    for name, count in Counter(case.name for case in cases).items():
        if count > 1:
            yield f"warning: {count} cases have the name {printable(name)}: reports cannot tell them apart"


def of_proof(proof: Proof) -> Iterator[str]:
    """What each program came to, what to look at, and whether the cases are proved."""
    for tried in proof.tried:
        yield from _tried(tried)
    if proof.idle:
        yield f"these cases catch no wrong program: {_named(proof.idle)}"
    for slow in proof.slow:
        yield f"warning: {_slow(slow)}"
    yield _conclusion(proof)


def _tried(tried: Tried) -> Iterator[str]:
    yield f"{tried.role}  {printable(tried.name)}: {_outcome(tried)}"
    if tried.is_graded and tried.role == "right":
        for case in tried.failed[:_NAMED]:
            yield from _details(case)


def _outcome(tried: Tried) -> str:
    of, status = len(tried.cases), tried.result["status"] + _because(tried)
    if not tried.is_graded:
        return f"could not be run: {status}"
    if tried.role == "right" and tried.is_as_expected:
        return f"accepted in all {of}"
    if tried.role == "right":
        return f"NOT ACCEPTED: {f'fails {len(tried.failed)} of {of}' if of else status}"
    if tried.is_as_expected:
        return f"caught by {len(tried.failed)} of {of}: {_named([case['name'] for case in tried.failed])}"
    return f"NOT CAUGHT: {f'passes all {of}' if of else status}"


def _because(tried: Tried) -> str:
    message = (tried.result.get("error") or {}).get("message")
    return f": {printable(message)}" if message else ""


def _details(case: Mapping[str, Any]) -> Iterator[str]:
    """A case that a right program fails, with the beginning of why."""
    yield f"       {printable(case['name'])}: {case['verdict']}"
    why = case.get("diff") or case.get("message") or (case.get("stderr") or {}).get("text") or ""
    for line in why.splitlines()[:_DETAIL_LINES]:
        yield f"         {printable(line)}"


def _conclusion(proof: Proof) -> str:
    if proof.ungraded:
        return f"not proved: {_count(len(proof.ungraded), 'program')} could not be run; run it again"
    if not proof.unexpected:
        return "proved"
    right = sum(tried.role == "right" for tried in proof.unexpected)
    wrong = len(proof.unexpected) - right
    parts = [f"{_count(right, 'solution')} not accepted"] if right else []
    parts += [f"{_count(wrong, 'wrong program')} not caught"] if wrong else []
    return f"not proved: {', '.join(parts)}"


def _slow(slow: Slow) -> str:
    return (
        f"{printable(slow.case)} takes {printable(slow.program)} {slow.seconds:.2f} of {slow.limit:g} seconds"
    )


def _row(case: Case, proof: Proof | None) -> tuple[str, ...]:
    limits = case.limits
    bounds = (limits.timeout_seconds, limits.memory_mb, limits.output_bytes)
    return (
        printable(case.name),
        case.compare if case.expect.stdout is not None else "",
        f"{case.points:g}",
        "yes" if case.hidden else "",
        *("" if bound is None else f"{bound:g}" for bound in bounds),
        *(_proved(case.name, proof) if proof else ()),
    )


def _proved(name: str, proof: Proof) -> tuple[str, str]:
    slowest, caught = proof.slowest.get(name), proof.caught.get(name, ())
    return f"{slowest.seconds:.2f}" if slowest else "", str(len(caught))


def _columns(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Rows as columns, the first cut if it is too wide."""
    widths = [min(max(map(cell_len, column)), WIDEST) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (set_cell_size(cell, width) for cell, width in zip(row, widths, strict=True))
        yield f"  {'  '.join(cells)}".rstrip()


def _named(names: Iterable[str]) -> str:
    shown = [printable(name) for name in names]
    more = [f"and {len(shown) - _NAMED} more"] if len(shown) > _NAMED else []
    return ", ".join(shown[:_NAMED] + more)


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
