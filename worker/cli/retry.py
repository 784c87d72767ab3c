"""``jsworker retry``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from worker.batch import Folder
from worker.cli.running import UNDONE, batch_name, examples, quiet_logs, run
from worker.replaying import Pass, Replay, Tally
from worker.retrying import Sent, plan, refuse_cancelled, send_again
from worker.settings import ClientSettings, load
from worker.tools import open_dead_letters
from worker.views import counting

if TYPE_CHECKING:
    from collections.abc import Iterator

    from worker.retrying import Plan
    from worker.tools import DeadLetterTools

NAMED = 10


@click.command("retry", epilog=examples("jsworker retry hw1", "jsworker retry hw1 --dry-run"))
@click.argument("batch", callback=batch_name)
@click.option("--rate", type=click.FloatRange(min=0.01), default=20, show_default=True,
              help="The most dead letters in a second.")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Only say what would be run again.")
def command(batch: str, rate: float, *, dry_run: bool) -> None:
    """Run again just the jobs that were not graded for reasons of the platform.

    These are the jobs whose status is infrastructure_failed or whose verdict is internal_error, in the
    generations that count. The new result takes the place of the failure. Run again after an interruption,
    it goes on.
    """
    run(_retry(batch, rate, dry_run=dry_run))


async def _retry(batch: str, rate: float, *, dry_run: bool) -> int:
    settings = load(ClientSettings)
    quiet_logs()
    folder = Folder(settings.results_container, batch)
    async with open_dead_letters(settings) as tools:
        view = await counting(tools.blobs, folder)
        await refuse_cancelled(tools.blobs, view)
        made = await plan(tools.blobs, tools.browser, view)
        sent, left = Sent((), ()), 0
        if not dry_run:
            sent = await send_again(tools.blobs, tools.sender, view, made.again)
            left = await _replayed(tools, made, rate)
    for line in told(batch, made, None if dry_run else sent, left):
        click.echo(line, err=True)
    return UNDONE if sent.unrecorded or left else 0


async def _replayed(tools: DeadLetterTools, made: Plan, rate: float) -> int:
    """Run the jobs of dead letters again, as jsworker deadletters does; how many of them could not be."""
    left = 0
    for name, queue in tools.queues.items():
        tally = Tally({number for its_queue, number in made.letters if its_queue == name})
        if tally.wanted:
            replay = Replay(queue, tools.recorder, tools.committer)
            await Pass(queue, replay, rate).run(tally)
            left += tally.left
    return left


def told(batch: str, made: Plan, sent: Sent | None, left: int) -> Iterator[str]:
    """What was done, or would be."""
    wanted, replayed = len(made.again) + len(made.letters), len(made.letters) - left
    if sent is None:
        yield f"{batch}: {wanted} jobs would be run again"
    elif not wanted and not made.waiting:
        yield f"{batch}: the platform has failed no job; there is nothing to run again"
    else:
        yield f"{batch}: {len(sent.ids) + replayed} of {wanted} jobs are run again"
    if made.waiting:
        yield f"  {len(made.waiting)} more are in the queue already"
    if sent and sent.unrecorded:
        yield f"  not run again, since what they are was never recorded: {_listed(sent.unrecorded)}"
    if left:
        yield f"  {left} dead letters were not reached, or have an outcome by now: run this again"
    if made.missing:
        yield f"  {len(made.missing)} have no result yet: jsworker reconcile {batch} says where they are"
    if sent and (sent.ids or replayed):
        yield f"  next: a worker runs them; then jsworker results {batch}"


def _listed(ids: tuple[str, ...]) -> str:
    return ", ".join(ids[:NAMED]) + (f" and {len(ids) - NAMED} more" if len(ids) > NAMED else "")
