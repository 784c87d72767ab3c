"""A plan beside what it plans: the worker, with jobs of several lengths, on the simulated pool."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.bench.figures import Row, Target
from tests.bench.scenarios import JSWORKER, ready_run
from worker.makespan import Pool, Work
from worker.plan import Workers, planned, spread

if TYPE_CHECKING:
    from pathlib import Path

SESSIONS, ALLOCATE_SECONDS = 10, 1.5
LENGTHS = (0.2, 0.5, 1.0, 3.0)


async def measure_plan(folder: Path, jobs: int) -> Row:
    """From the first call to the pool to the last commit, in parts of what was planned for it."""
    async with ready_run(folder, JSWORKER, SESSIONS, allocate_seconds=ALLOCATE_SECONDS) as run:
        codes = await run.stack.upload("plan", [f"// wait {seconds}\n" for seconds in LENGTHS])
        await run.stack.send("plan", spread(codes, jobs))
        last = await run.stack.wait_for_results("plan/", jobs, run.worker, 60 + 4 * jobs)
        measured = last - (await run.stack.pool_stats())["first_begin"]
    pool = Pool(SESSIONS, ALLOCATE_SECONDS, release_seconds=0.0, call_seconds=0.0)
    plan = planned(Work(spread(LENGTHS, jobs)), pool, Workers(SESSIONS, beside_seconds=0.05))
    ratio = measured / plan.finish_seconds
    figures = {"planned_seconds": plan.finish_seconds, "measured_seconds": measured, "ratio": ratio}
    bounds = (Target("measured to planned", ratio, 1.1), Target("and", ratio, 0.9, at_least=True))
    return Row("plan: jobs of four lengths", JSWORKER, figures, bounds)
