"""``jsworker schedule``."""

from __future__ import annotations

import asyncio
import json
import signal
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

import click
import structlog

from worker import log
from worker.cli import schedule_lines as lines
from worker.cli.moments import Moment
from worker.cli.running import FILE, UNDONE, examples, failures, output, quiet_logs, run
from worker.faults import SchedulesError
from worker.planned import Planned
from worker.schedule_tools import open_supply
from worker.scheduler import WatchedFile, keep_supplied
from worker.schedules_file import load_schedules
from worker.settings import ClientSettings, load
from worker.together import together

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from worker.schedule import Schedule, SchedulesFile
    from worker.supplying import Supply

F = TypeVar("F", bound="Callable[..., Any]")
MOST_BACKFILLED = 10_000
_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON document.")
_FILE = click.argument("file", type=FILE)


def _horizon(default: int) -> Callable[[F], F]:
    return click.option(
        "--horizon",
        type=click.FloatRange(min=5, max=7 * 86_400),
        default=default,
        show_default=True,
        metavar="SECONDS",
        help="How far ahead runs are put into the queue.",
    )


@click.group(
    "schedule",
    epilog=examples(
        "jsworker schedule check schedules.yaml",
        "jsworker schedule run schedules.yaml",
        "jsworker schedule trigger schedules.yaml nightly",
    ),
)
def command() -> None:
    """Run jobs at certain times, as a file of schedules says.

    Any number of schedulers may keep a queue supplied from the same file: each run is there once.
    """


@command.command("check", epilog=examples("jsworker schedule check schedules.yaml --count 3"))
@_FILE
@click.option(
    "--count", type=click.IntRange(1, 1000), default=10, show_default=True, help="Of each schedule."
)
@_JSON
def check(file: Path, count: int, *, as_json: bool) -> None:
    """Check a file of schedules, and show the next times of each: in its zone and in UTC."""
    with failures():
        schedules, now = load_schedules(file), datetime.now(UTC)
    with output(None) as out:
        if as_json:
            out.write(json.dumps(lines.check_document(schedules, now, count), indent=1) + "\n")
        else:
            out.writelines(f"{line}\n" for line in lines.check_table(schedules, now, count))


@command.command("run", epilog=examples("jsworker schedule run schedules.yaml"))
@_FILE
@_horizon(300)
def run_(file: Path, horizon: float) -> None:
    """Keep the queue supplied with the runs of a file's schedules until told to stop.

    The file is read again when it changes; while it cannot be used, the last one that could counts. Keep
    the horizon below the time for which the queue detects duplicates, ten minutes unless it is set.
    """
    run(_serve(file, timedelta(seconds=horizon)))


@command.command(
    "sync",
    epilog=examples(
        "jsworker schedule sync schedules.yaml --horizon 1200   # every ten minutes, by cron of the platform",
        "jsworker schedule sync schedules.yaml --dry-run",
    ),
)
@_FILE
@_horizon(900)
@click.option("--dry-run", is_flag=True, help="Only show what would be done.")
def sync(file: Path, horizon: float, *, dry_run: bool) -> None:
    """Supply the queue once, and take back what is not in the file any more.

    The horizon is to be longer than the time until the next sync, twice as long at best.
    """
    run(_sync(file, timedelta(seconds=horizon), dry_run=dry_run))


@command.command(
    "backfill",
    epilog=examples(
        "jsworker schedule backfill schedules.yaml nightly --from 2026-05-01 --to 2026-05-08 --yes"
    ),
)
@_FILE
@click.argument("name")
@click.option("--from", "start", type=Moment(), required=True, help="The first time, or an age like 7d.")
@click.option("--to", "end", type=Moment(), help="Up to this time and without it; now if not given.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def backfill(file: Path, name: str, start: datetime, end: datetime | None, *, yes: bool) -> None:
    """Run a schedule at past times that have no result.

    Its jobs have the ids that they would have had, so that nothing runs twice.
    """
    run(_backfill(file, name, (start, min(end or datetime.now(UTC), datetime.now(UTC))), yes=yes))


@command.command(
    "trigger",
    epilog=examples(
        "jsworker schedule trigger schedules.yaml nightly",
        "jsworker explain $(jsworker schedule trigger schedules.yaml nightly)",
    ),
)
@_FILE
@click.argument("name")
def trigger(file: Path, name: str) -> None:
    """Run a schedule's job now, be it enabled or not, and print BATCH/JOB."""
    run(_trigger(file, name))


@command.command("list", epilog=examples("jsworker schedule list schedules.yaml"))
@_FILE
@_JSON
def list_(file: Path, *, as_json: bool) -> None:
    """Show how the last run of each schedule ended, how late it started, and when the next one is."""
    run(_list(file, as_json=as_json))


async def _serve(path: Path, horizon: timedelta) -> int:
    settings = load(ClientSettings)
    log.configure(settings.log_format, settings.log_level)
    serving = asyncio.ensure_future(_supplying(settings, path, horizon))
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, serving.cancel)
    await asyncio.wait({serving})
    if not serving.cancelled():
        serving.result()
    structlog.get_logger().info("scheduler_stopped")
    return 0


async def _supplying(settings: ClientSettings, path: Path, horizon: timedelta) -> None:
    """Until it is cancelled: wherever that is, the next sync goes on."""
    watched = WatchedFile(path)
    while True:
        queue = watched.file.queue or settings.queue
        structlog.get_logger().info("scheduler_started", queue=queue, group=watched.file.group)
        async with open_supply(settings, queue) as supply:
            await keep_supplied(supply, watched, horizon)


async def _sync(path: Path, horizon: timedelta, *, dry_run: bool) -> int:
    settings, file = load(ClientSettings), load_schedules(path)
    quiet_logs()
    async with open_supply(settings, file.queue) as supply:
        done = (await supply.planned(file, horizon))[1] if dry_run else await supply.sync(file, horizon)
    with output(None) as out:
        out.writelines(f"{line}\n" for line in lines.supplied(done))
    return UNDONE if done.lost else 0


async def _backfill(path: Path, name: str, span: tuple[datetime, datetime], *, yes: bool) -> int:
    settings, file = load(ClientSettings), load_schedules(path)
    quiet_logs()
    runs = _past(_found(file, name, path), *span)
    async with open_supply(settings, file.queue) as supply:
        absent = await _without_result(supply, file, runs)
        click.echo(f"{name}: {len(runs)} times, {len(absent)} of them without a result", err=True)
        if absent and not yes:
            click.confirm(f"This runs {len(absent)} jobs. Go on?", abort=True, err=True)
        await supply.send(file, absent, "~backfill")
    with output(None) as out:
        out.writelines(f"{each.batch}/{each.job_id}\n" for each in absent)
    return 0


def _past(schedule: Schedule, start: datetime, end: datetime) -> list[Planned]:
    moments = list(islice(schedule.times.between(start, end), MOST_BACKFILLED + 1))
    if len(moments) > MOST_BACKFILLED:
        raise SchedulesError(f"there are over {MOST_BACKFILLED:,} times from {start:%F %T} on: choose fewer")
    return [Planned(schedule, moment, "backfill") for moment in moments]


async def _without_result(supply: Supply, file: SchedulesFile, runs: list[Planned]) -> list[Planned]:
    """Those that are neither in the queue nor have a result; the queue is looked at first."""
    waiting = await supply.waiting(file)
    absent = [each for each in runs if each.key not in waiting]
    ended = await together(supply.results.has, absent)
    return [each for each, has_ended in zip(absent, ended, strict=True) if not has_ended]


async def _trigger(path: Path, name: str) -> int:
    settings, file = load(ClientSettings), load_schedules(path)
    quiet_logs()
    wanted = Planned.by_hand(_found(file, name, path), datetime.now(UTC))
    async with open_supply(settings, file.queue) as supply:
        await supply.send(file, [wanted])
    click.echo(f"{wanted.batch}/{wanted.job_id}")
    return 0


async def _list(path: Path, *, as_json: bool) -> int:
    settings, file = load(ClientSettings), load_schedules(path)
    quiet_logs()
    async with open_supply(settings, file.queue) as supply:
        rows = [await lines.row(schedule, supply.results, datetime.now(UTC)) for schedule in file.schedules]
    with output(None) as out:
        if as_json:
            out.write(json.dumps([row.document() for row in rows], indent=1) + "\n")
        else:
            out.writelines(f"{line}\n" for line in lines.list_table(rows))
    return 0


def _found(file: SchedulesFile, name: str, path: Path) -> Schedule:
    schedule = file.find(name)
    if schedule is None:
        known = ", ".join(each.name for each in file.schedules[:20]) or "none"
        raise SchedulesError(f"{path.name} has no schedule {name!r:.60}; there is {known}")
    return schedule
