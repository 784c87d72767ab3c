"""``python -m tests.bench``: measures the worker, the local stack, and a bare loop beside them.

How a run is measured stands in ``tests.bench.scenarios``.
"""

from __future__ import annotations

import asyncio
import json
import platform
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Column, Table

from tests.bench.figures import Row, Target
from tests.bench.grading import measure_grading
from tests.bench.parts import LOCAL_STACK, measure_broker, measure_first_result, measure_pool
from tests.bench.planning import measure_plan
from tests.bench.profiling import tables
from tests.bench.report import RESULTS, measure_report
from tests.bench.scenarios import BARE_LOOP, JSWORKER, Load, measure, measure_memory, measure_overhead
from tests.bench.telemetry import measure_telemetry

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_WIDTH = 180
_COLUMNS = {
    "jobs_per_second": "jobs/s",
    "efficiency": "slot efficiency",
    "worker_cpu_ms": "worker CPU ms/job",
    "broker_cpu_ms": "broker",
    "blobs_cpu_ms": "blobs",
    "pool_cpu_ms": "pool",
    "memory_mb": "peak MB",
    "overhead_p50_ms": "overhead p50 ms",
    "overhead_p99_ms": "p99 ms",
}


def loads(*, quick: bool) -> list[Load]:
    """The loads of the table; quick ones are too short to judge the efficiency by."""
    return [
        replace(load, name=load.name + name, shared_code=shared, jobs=load.jobs // (4 if quick else 1))
        for load in (
            Load("16 sessions, 1 s", 16, 160, 1.0, None if quick else 0.95),
            Load("64 sessions, 1 s", 64, 640, 1.0, None if quick else 0.90),
            Load("10 sessions, 100 ms", 10, 1000, 0.1, None if quick else 0.85),
        )
        for name, shared in (("", False), (", one program", True))
    ]


class Bench:
    """What was asked for; each part gets a folder of its own."""

    def __init__(self, folder: Path, only: str, *, quick: bool) -> None:
        self._folder, self._only, self._quick = folder, only, quick

    async def rows(self) -> AsyncIterator[Row]:
        """The lines of the table, as they come."""
        for load in loads(quick=self._quick):
            for contender in (JSWORKER, BARE_LOOP):
                if self._wanted(load.name):
                    yield await measure(load, contender, self._place())
        if self._wanted("low load"):
            for contender in (JSWORKER, BARE_LOOP):
                yield await measure_overhead(contender, self._place(), 10 if self._quick else 30)
        if self._wanted("memory"):
            few = await measure_memory(self._place(), 100)
            yield few
            many = await measure_memory(self._place(), 10_000 if self._quick else 100_000)
            yield _compared(few, many)
        if self._wanted("plan"):
            yield await measure_plan(self._place(), 40 if self._quick else 120)
        async for row in self._parts():
            yield row
        if self._wanted("grading"):
            yield await measure_grading(self._place(), 50 if self._quick else 500)

    async def profile(self) -> list[Table]:
        """What the worker's CPU is spent on, under the first of the loads wanted."""
        load = next(load for load in loads(quick=self._quick) if self._wanted(load.name))
        samples = self._folder / "samples.json"
        row = await measure(load, JSWORKER, self._place(), samples)
        return tables(samples, row.figures["worker_cpu_ms"])

    async def _parts(self) -> AsyncIterator[Row]:
        if self._wanted("broker"):
            yield await measure_broker(self._place(), 1000 if self._quick else 4000)
        if self._wanted("session pool"):
            yield await measure_pool(self._place(), 20 if self._quick else 100)
        if self._wanted("first result"):
            yield await measure_first_result(self._place())
        if self._wanted("telemetry"):
            for row in await measure_telemetry(self._place(), 4 if self._quick else 12):
                yield row
        if self._wanted("report"):
            yield await measure_report(self._place(), 500 if self._quick else 5000)

    def _wanted(self, name: str) -> bool:
        return self._only in name

    def _place(self) -> Path:
        return Path(tempfile.mkdtemp(dir=self._folder))


def _compared(few: Row, many: Row) -> Row:
    ratio = many.figures["memory_mb"] / few.figures["memory_mb"]
    return Row(
        many.scenario, many.contender, many.figures, (*many.targets, Target("times as much", ratio, 1.2))
    )


@click.command(context_settings={"show_default": True})
@click.option("--quick", is_flag=True, help="A quarter of the jobs, a tenth of the waiting messages.")
@click.option("--only", default="", help="Only what has this in its name.")
@click.option("--json", "as_json", is_flag=True, help="JSON on stdout in place of the table.")
@click.option("--profile", is_flag=True, help="Say what the worker's CPU is spent on, under one load.")
def main(*, quick: bool, only: str, as_json: bool, profile: bool) -> None:
    """Measure the worker and the local stack; exits 1 when a target is missed."""
    console = Console(width=max(Console().width, _WIDTH))
    with tempfile.TemporaryDirectory(prefix="jsworker-bench-") as folder:
        bench = Bench(Path(folder), only, quick=quick)
        if profile:
            console.print(*asyncio.run(bench.profile()))
            return
        rows = asyncio.run(_collected(bench))
    if as_json:
        click.echo(json.dumps({"machine": machine(), "rows": [row.document() for row in rows]}, indent=1))
    else:
        console.print(table(rows))
        for row in rows:
            if row.contender in {LOCAL_STACK, RESULTS}:
                console.print(f"{row.scenario}: {_figures(row)}")
        console.print(machine())
    sys.exit(0 if all(target.met for row in rows for target in row.targets) else 1)


async def _collected(bench: Bench) -> list[Row]:
    rows = []
    async for row in bench.rows():
        click.echo(f"{row.scenario} · {row.contender}: {_figures(row)}", err=True)
        rows.append(row)
    return rows


def table(rows: list[Row]) -> Table:
    """The rows, with a column for each figure and the bounds with whether they are kept."""
    result = Table("scenario", "by", *_COLUMNS.values(), Column("targets", no_wrap=True))
    for row in rows:
        figures = (_shown(row.figures.get(name)) for name in _COLUMNS)
        result.add_row(row.scenario, row.contender, *figures, _targets(row))
    return result


def _figures(row: Row) -> str:
    return ", ".join(f"{name} {_shown(value)}" for name, value in row.figures.items())


def _shown(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}"


def _targets(row: Row) -> str:
    return "\n".join(f"{'met   ' if target.met else 'MISSED'} {target}" for target in row.targets)


def machine() -> str:
    """The machine in a line."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
    return f"{len(names)} x {names[0]}, Linux {platform.release()}, Python {platform.python_version()}"


if __name__ == "__main__":
    main()
