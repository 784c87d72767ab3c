"""``python -m tests.chaos``: workers and services that fail in every way, and whether the promises hold."""

from __future__ import annotations

import asyncio
import secrets
import shutil
import sys
import tempfile
from pathlib import Path

import click
from rich.console import Console

from tests.chaos.report import table, verdict
from tests.chaos.run import Plan, run


@click.command(context_settings={"show_default": True})
@click.option("--jobs", default=2000, help="How many jobs.")
@click.option("--workers", default=3, help="How many workers.")
@click.option("--max-sessions", default=5, help="How many sessions all workers together may have.")
@click.option("--seed", type=int, help="Draws the jobs and the faults; without it a new one.")
@click.option("--minutes", type=float, help="How long things go wrong.  [default: by the number of jobs]")
@click.option("--keep", is_flag=True, help="Keep state and logs.")
def main(  # noqa: PLR0913 - an option each
    *, jobs: int, workers: int, max_sessions: int, seed: int | None, minutes: float | None, keep: bool
) -> None:
    """Run jobs while everything fails; exits 1 when an invariant did not hold."""
    seed = secrets.randbits(32) if seed is None else seed
    click.echo(f"seed {seed}")
    plan = Plan(seed, jobs, workers, max_sessions, None if minutes is None else minutes * 60)
    folder = Path(tempfile.mkdtemp(prefix="jsworker-chaos-"))
    try:
        report = asyncio.run(run(plan, folder))
    finally:
        if keep:
            click.echo(f"state and logs: {folder}", err=True)
        else:
            shutil.rmtree(folder)
    Console().print(table(report))
    click.echo(verdict(report))
    sys.exit(1 if report.broken else 0)


if __name__ == "__main__":
    main()
