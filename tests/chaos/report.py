"""A run's figures for people, and what broke."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table

from tests.chaos import checker

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tests.chaos.run import Report


def figures(report: Report) -> dict[str, object]:
    """What a run is told by, in the order of telling."""
    records, done = report.records, report.done
    once = checker.repeatable(records)
    return {
        "seed": report.plan.seed,
        "jobs": report.plan.jobs,
        "seconds": round(report.seconds),
        "workers killed": done["kill worker"],
        "workers stopped": done["stop worker"],
        "workers paused": done["pause worker"],
        "broker killed": done["kill broker"],
        "broker paused": done["pause broker"],
        **report.figures,
        "executions": len(checker.ran(records.executions)),
        "duplicates executed": checker.duplicates(once),
        "overlaps": checker.overlaps(once),
        "duplicates visible": _count(checker.changed, report) + _count(checker.contradicted, report),
        "lost": _count(checker.lost, report),
        "dead letters": len(records.dead_letters),
        "peak sessions": max(records.sampled, default=0),
        "samples": len(records.sampled),
    }


def table(report: Report) -> Table:
    """The figures."""
    result = Table("figure", "value", title=f"chaos, seed {report.plan.seed}")
    for name, value in figures(report).items():
        result.add_row(name, str(value))
    return result


def counts(report: Report) -> str:
    """How often each fault was switched on, and what the workers called errors, in a line each."""
    pairs = (("faults", report.done), ("logged as errors", report.errors))
    return "\n".join(f"{name}: {_listed(counted)}" for name, counted in pairs)


def verdict(report: Report) -> str:
    """In a line each, what broke; or that nothing did."""
    if not report.broken:
        return f"all invariants held (seed {report.plan.seed})"
    lines: Iterable[str] = (f"BROKEN {one.rule}: {one.evidence}" for one in report.broken)
    return "\n".join([*lines, f"seed {report.plan.seed}"])


def _listed(counted: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counted.items())) or "none"


def _count(rule: object, report: Report) -> int:
    assert callable(rule)
    return len(list(rule(report.records)))
