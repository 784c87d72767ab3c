"""``jsworker plan``."""

from __future__ import annotations

import json
import math
from collections.abc import Callable  # noqa: TC003 - a dataclass has it
from dataclasses import asdict, dataclass, replace
from pathlib import Path  # noqa: TC003 - as above
from typing import TYPE_CHECKING, Any

import click

from worker.cli.progress import duration
from worker.cli.running import FILE, Failure, examples, failures
from worker.makespan import Pool, Work
from worker.plan import MOST_JOBS, MOST_SESSIONS, Plan, Workers, planned, smallest, spread
from worker.setting_groups import PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterator

_MOST = 1e7
_WHAT_HELPS = {
    "sessions": "the pool's sessions: with twice as many it would take about half the time",
    "longest_job": "its longest job: more sessions would not help",
    "keys": "the jobs of one key, which run one after another: more keys would help, more sessions would not",
    "slots": "the workers' slots: more replicas with fewer sessions each, or a higher JSWORKER_LOOKAHEAD",
    "worker_cpu": "the workers' CPU: more replicas with fewer sessions each",
}


class Amount(click.FloatRange):
    """Seconds or dollars: no infinity, and nothing that is no number, which a range lets through."""

    def __init__(self) -> None:
        super().__init__(0, _MOST)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:  # noqa: ANN401 - click's
        """The number meant."""
        number = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{value!r} is no number", param, ctx)
        return float(number)


@dataclass(frozen=True)
class Asked:
    """What is to be planned."""

    work: Work
    pool: Pool
    workers_of: Callable[[int], Workers]
    within: float | None

    def plan(self, **changes: Any) -> Plan:  # noqa: ANN401 - Work's own
        """The plan, with changes to the work."""
        return planned(replace(self.work, **changes), self.pool, self.workers_of(self.pool.sessions))


@click.command(
    "plan",
    epilog=examples(
        "jsworker plan --jobs 3000 --seconds 2 --sessions 20",
        "jsworker plan --jobs 3000 --seconds 2 --within 600",
        "jsworker results hw1 --format jsonl --out hw1.jsonl && jsworker plan --like hw1.jsonl --jobs 5000 "
        "--sessions 50",
        "jsworker plan --jobs 3000 --seconds 2 --sessions 20 --policy keyed --keys 300 --json",
    ),
)
@click.option("--jobs", type=click.IntRange(1, MOST_JOBS), help="How many; by default as many as --like has.")
@click.option("--seconds", type=Amount(), help="What a program takes, on average.")
@click.option(
    "--like", type=FILE, help="Results of a batch as JSON Lines: jobs take the times that they took."
)
@click.option(
    "--sessions",
    type=click.IntRange(1, MOST_SESSIONS),
    envvar=PREFIX + "MAX_SESSIONS",
    show_envvar=True,
    help="Of the pool.",
)
@click.option("--within", type=Amount(), help="Find the fewest sessions for so many seconds.")
@click.option(
    "--sessions-per-worker",
    type=click.IntRange(1, MOST_SESSIONS),
    default=10,
    envvar=PREFIX + "SESSIONS_PER_WORKER",
    show_default=True,
    help="The most that one worker uses.",
)
@click.option("--policy", type=click.Choice(["fresh", "keyed", "shared"]), default="fresh", show_default=True)
@click.option("--keys", type=click.IntRange(min=1), help="How many keys, which --policy keyed needs.")
@click.option(
    "--allocate-seconds", type=Amount(), default=3.0, show_default=True, help="Until a new session runs code."
)
@click.option(
    "--price", type=Amount(), default=0.03, show_default=True, help="Of a session for an hour, in US dollars."
)
@click.option(
    "--no-delete", is_flag=True, help="The pool deletes no sessions: they stay for the cooldown of 300 s."
)
@click.option("--json", "as_json", is_flag=True, help="The plan as a JSON document.")
def command(*, as_json: bool, **options: Any) -> None:  # noqa: ANN401 - click's
    """Say how long a number of jobs will take, what that needs and what it costs.

    It is a calculation: nothing is connected to. The time counts from when the workers are there; a fleet
    that is scaled to zero needs about a minute more.
    """
    with failures():
        asked = _asked(**options)
        if asked.within is not None:
            asked = _with_fewest_sessions(asked)
        plan = asked.plan()
    if as_json:
        click.echo(json.dumps(asdict(plan), indent=1))
    else:
        click.echo("\n".join(_lines(asked, plan)))


def _asked(  # noqa: PLR0913 - the command's options
    *,
    jobs: int | None,
    seconds: float | None,
    like: Path | None,
    sessions: int | None,
    within: float | None,
    sessions_per_worker: int,
    policy: Any,  # noqa: ANN401 - a choice of click's
    keys: int | None,
    allocate_seconds: float,
    price: float,
    no_delete: bool,
) -> Asked:
    if (seconds is None) == (like is None):
        raise click.UsageError("say what the jobs take: --seconds, or --like with results of a batch")
    if seconds is not None and jobs is None:
        raise click.UsageError("--jobs is needed: how many")
    if within is None and sessions is None:
        raise click.UsageError("--sessions is needed, or --within to find how many")
    if policy == "keyed" and keys is None:
        raise click.UsageError("--keys is needed with --policy keyed: how many keys there are")
    times = [seconds] if seconds is not None else _times(like)
    work = Work(spread(times, jobs or len(times)), policy, keys or 1)
    pool = Pool(sessions or 1, allocate_seconds, deletes=not no_delete, price_per_hour=price)
    return Asked(work, pool, lambda most: Workers(min(sessions_per_worker, most)), within)


def _times(path: Path | None) -> list[float]:
    """What the executions of a batch took, of those results that tell.

    Raises:
        Failure: there is none, or a line is no result.
    """
    times = []
    for number, line in enumerate(path.read_bytes().splitlines() if path else (), start=1):
        try:
            took = (json.loads(line).get("timings") or {}).get("execute_ms")
        except (ValueError, AttributeError, RecursionError):
            raise Failure(
                f"{path}, line {number}: this is no result; see jsworker results --format jsonl"
            ) from None
        if isinstance(took, int | float) and 0 <= took <= _MOST:
            times.append(took / 1000)
    if not times:
        raise Failure(f"{path}: no result tells how long its program took")
    return times


def _with_fewest_sessions(asked: Asked) -> Asked:
    found = smallest(asked.work, asked.pool, asked.workers_of, asked.within or 0)
    if found is None:
        most = replace(asked, pool=replace(asked.pool, sessions=MOST_SESSIONS)).plan()
        raise Failure(
            f"no pool is large enough for {duration(asked.within or 0)}: with {MOST_SESSIONS} sessions it "
            f"takes {duration(most.finish_seconds)}, bounded by {_WHAT_HELPS[most.bottleneck]}"
        )
    return replace(asked, pool=replace(asked.pool, sessions=found))


def _lines(asked: Asked, plan: Plan) -> Iterator[str]:
    per_worker = asked.workers_of(asked.pool.sessions).sessions_per_worker
    mean = sum(asked.work.seconds) / plan.jobs
    yield f"{plan.jobs:,} jobs of {mean:.3g} s, at most {max(asked.work.seconds):.3g} s, policy {plan.policy}"
    yield f"  sessions       {plan.sessions} of {asked.pool.sessions}; {plan.sessions_allocated:,} in all"
    yield f"  replicas       {plan.replicas}, {per_worker} sessions each"
    yield f"  finish         {duration(plan.finish_seconds)}, {plan.jobs_per_second:.3g} jobs/s"
    yield f"  session-hours  {plan.session_hours_billed:,} billed, {plan.session_hours_used:,.2f} used"
    yield f"  cost           {plan.cost:,.2f} USD for the sessions"
    yield f"  bounded by     {_WHAT_HELPS[plan.bottleneck]}"
    yield f"  deploy with    POOL_SESSIONS={asked.pool.sessions} SESSIONS_PER_REPLICA={per_worker}"
    yield ""
    yield "by policy        finish  session-hours      cost"
    for policy in ("fresh", "keyed", "shared") if asked.work.policy == "keyed" else ("fresh", "shared"):
        other = asked.plan(policy=policy)
        yield (
            f"  {policy:<8} {duration(other.finish_seconds):>12} {other.session_hours_billed:>14,} "
            f"{other.cost:>9,.2f}"
        )
    yield "What the policies risk: docs/security.md. What else costs: docs/cost.md."
