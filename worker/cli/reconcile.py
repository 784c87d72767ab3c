"""``jsworker reconcile``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from worker.batch import Folder
from worker.cli.running import UNDONE, batch_name, examples, quiet_logs, run
from worker.explaining import counted, moment
from worker.reconciling import Missing, compare, repair
from worker.report import printable
from worker.settings import ClientSettings, load
from worker.tools import open_browser, open_client

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from worker.reconciling import Comparison, Repaired, Where

SHOWN = 20
_WORDS: dict[Where, tuple[str, str]] = {
    "waiting": ("waiting", "in the queue, or with a worker right now"),
    "scheduled": ("scheduled", "in the queue, to be tried again later"),
    "dead_lettered": ("dead letter", "in the dead-letter queue without a result"),
    "lost": ("lost", "sent, but nowhere"),
    "never_sent": ("never sent", "in the manifest, but not sent"),
}


@click.command(
    "reconcile",
    epilog=examples(
        "jsworker reconcile hw1",
        "jsworker reconcile hw1 --repair",
        "jsworker reconcile hw1 --json | jq -r '.missing[] | select(.where == \"lost\").id'",
    ),
)
@click.argument("batch", callback=batch_name)
@click.option("--repair", "repairs", is_flag=True, help="Send again what is lost or was never sent.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document, with every job.")
@click.option("--all", "everything", is_flag=True, help=f"Name all jobs, not the first {SHOWN} of each kind.")
def command(batch: str, *, repairs: bool, as_json: bool, everything: bool) -> None:
    """Say of each job of a batch that has no result where it is, and repair what is nowhere.

    Compares the manifest with the results, the records of what was sent, the queue and the dead letters.
    Jobs that wait are left alone. The exit status is 0 when every job is accounted for, 1 when something
    is missing and was not repaired.
    """
    run(_reconcile(batch, repairs=repairs, as_json=as_json, everything=everything))


async def _reconcile(batch: str, *, repairs: bool, as_json: bool, everything: bool) -> int:
    settings = load(ClientSettings)
    quiet_logs()
    folder = Folder(settings.results_container, batch)
    async with open_client(settings) as client, open_browser(settings) as browser:
        found = await compare(client.blobs, browser, folder)
        done = await repair(client.blobs, client.sender, folder, found) if repairs else None
    if as_json:
        click.echo(json.dumps(document(batch, found, done)))
    else:
        for line in report(batch, found, done, None if everything else SHOWN):
            click.echo(line)
    return UNDONE if is_short(found, done) else 0


def is_short(found: Comparison, done: Repaired | None) -> bool:
    """Whether something is missing that nobody has repaired."""
    left = len(found.nowhere) + len(found.untold)
    if done:
        left -= len(done.sent) + done.told
    return left > 0 or found.counts["dead_lettered"] > 0


def document(batch: str, found: Comparison, done: Repaired | None) -> dict[str, Any]:
    """All that was found, for programs."""
    repaired = (
        {"sent": done.sent, "unrecorded": done.unrecorded, "progress_lines": done.told} if done else None
    )
    return {
        "batch": batch,
        "jobs": found.jobs,
        "results": found.results,
        "counts": {where: found.counts[where] for where in _WORDS},
        "missing": [_entry(job) for job in found.missing],
        "not_in_manifest": found.strangers,
        "without_progress_line": found.untold,
        "repaired": repaired,
    }


def report(batch: str, found: Comparison, done: Repaired | None, most: int | None) -> Iterator[str]:
    """All that was found, for people: the counts, at most so many jobs of each kind, and what to do."""
    jobs, results = counted(found.jobs, "job"), counted(found.results, "result")
    yield f"{batch}: {jobs}, {results}, {len(found.missing):,} without a result"
    for where, (word, meaning) in _WORDS.items():
        if found.counts[where]:
            yield f"  {found.counts[where]:>6} {word:<12} {meaning}"
            yield from _listed([_named(job) for job in found.missing if job.where == where], most)
    if found.strangers:
        yield f"  {len(found.strangers):>6} not in the manifest, with a result all the same"
        yield from _listed(found.strangers, most)
    if found.untold:
        yield f"  {len(found.untold):>6} results without a line in the batch's records of progress"
        yield from _listed(found.untold, most)
    if done:
        yield from _repaired(done)
    yield from _advice(batch, found, repaired=done is not None)


def _listed(names: Iterable[str], most: int | None) -> Iterator[str]:
    shown = [printable(name) for name in names]
    yield from (f"           {name}" for name in shown[:most])
    if most is not None and len(shown) > most:
        yield f"           … and {len(shown) - most} more (--all names them)"


def _named(job: Missing) -> str:
    message = job.message
    match job.where:
        case "scheduled" if message and message.scheduled_at:
            return f"{job.id}  until {moment(message.scheduled_at)}"
        case "dead_lettered" if message:
            return f"{job.id}  {message.reason or 'no reason given'}: {message.description or ''}"[:300]
        case "waiting" if message and message.delivery_count:
            return f"{job.id}  delivered {counted(message.delivery_count, 'time')} so far"
    return job.id


def _repaired(done: Repaired) -> Iterator[str]:
    lines = counted(done.told, "progress line")
    yield f"repaired: {counted(len(done.sent), 'job')} sent again, {lines} written"
    if done.unrecorded:
        yield f"not repaired: {counted(len(done.unrecorded), 'job')}, since what it is was never recorded:"
        yield from _listed(done.unrecorded, SHOWN)
        yield "  run the jsworker submit again that began this batch: it goes on where it stopped"


def _advice(batch: str, found: Comparison, *, repaired: bool) -> Iterator[str]:
    if (found.nowhere or found.untold) and not repaired:
        yield f"next: jsworker reconcile {batch} --repair"
    if found.counts["dead_lettered"]:
        yield "next: a running worker gives dead letters results; to run them again: jsworker deadletters"
    if found.counts["waiting"] or repaired:
        yield f"next: jsworker watch {batch} (if nothing happens: is a worker running?)"


def _entry(job: Missing) -> dict[str, Any]:
    message = job.message
    if not message:
        return {"id": job.id, "where": job.where}
    times = {"enqueued_at": message.enqueued_at, "scheduled_at": message.scheduled_at}
    return {
        "id": job.id,
        "where": job.where,
        "message_id": message.message_id,
        "sequence_number": message.sequence_number,
        "delivery_count": message.delivery_count,
        **{name: when.isoformat() for name, when in times.items() if when},
        "reason": message.reason,
        "description": message.description,
    }
