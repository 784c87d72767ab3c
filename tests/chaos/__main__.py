"""``python -m tests.chaos``: workers and services that fail in every way, and whether the promises hold."""

from __future__ import annotations

import asyncio
import secrets
import shutil
import sys
import tempfile
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console

from tests.chaos import scenarios
from tests.chaos.pipeline import pipeline
from tests.chaos.report import counts, table, verdict
from tests.chaos.run import Plan, run
from tests.chaos.timetable import timetable

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

    from tests.chaos.findings import Findings

SCENARIOS: dict[str, Callable[[Path], Coroutine[Any, Any, Findings]]] = {
    "outage": partial(scenarios.outage, seconds=300, jobs=200),
    "fleet": partial(scenarios.fleet, jobs=400, milliseconds=300),
    "shutdown": partial(scenarios.shutdown, grace_seconds=10, budget_seconds=12),
    "pipeline": pipeline,
    "timetable": partial(timetable, seconds=600),
}


@click.command(context_settings={"show_default": True})
@click.option("--jobs", default=2000, help="How many jobs.")
@click.option("--workers", default=3, help="How many workers.")
@click.option("--max-sessions", default=5, help="How many sessions all workers together may have.")
@click.option("--seed", type=int, help="Draws the jobs and the faults; without it a new one.")
@click.option("--minutes", type=float, help="How long things go wrong.  [default: by the number of jobs]")
@click.option("--scenario", type=click.Choice(list(SCENARIOS)), help="One situation in place of the mix.")
@click.option("--keep", is_flag=True, help="Keep state and logs.")
def main(  # noqa: PLR0913 - an option each
    *,
    jobs: int,
    workers: int,
    max_sessions: int,
    seed: int | None,
    minutes: float | None,
    scenario: str | None,
    keep: bool,
) -> None:
    """Run jobs while everything fails; exits 1 when an invariant did not hold."""
    with _folder(keep=keep) as folder:
        if scenario:
            held = _play(scenario, folder)
        else:
            seed = secrets.randbits(32) if seed is None else seed
            seconds = None if minutes is None else minutes * 60
            held = _chaos(Plan(seed, jobs, workers, max_sessions, seconds), folder)
    sys.exit(0 if held else 1)


def _chaos(plan: Plan, folder: Path) -> bool:
    click.echo(f"seed {plan.seed}")
    report = asyncio.run(run(plan, folder))
    Console().print(table(report))
    click.echo(counts(report))
    click.echo(verdict(report))
    return not report.broken


def _play(scenario: str, folder: Path) -> bool:
    findings = asyncio.run(SCENARIOS[scenario](folder))
    for name, value in findings.figures.items():
        click.echo(f"{name}: {value:g}")
    for line in findings.wrong:
        click.echo(f"WRONG {line}")
    return not findings.wrong


@contextmanager
def _folder(*, keep: bool) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="jsworker-chaos-"))
    try:
        yield folder
    finally:
        if keep:
            click.echo(f"state and logs: {folder}", err=True)
        else:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
