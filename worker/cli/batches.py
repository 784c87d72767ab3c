"""``jsworker batches``."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from worker.cli.moments import shown
from worker.cli.running import examples, output, quiet_logs, run
from worker.listing import batches
from worker.settings import ClientSettings, load
from worker.tools import open_client

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from worker.listing import Summary


@click.command(
    "batches",
    epilog=examples(
        "jsworker batches",
        "jsworker batches --format json | jq -r '.[] | select(.state == \"running\").name'",
    ),
)
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True)
def command(form: str) -> None:
    """List the batches, how far each is, and which of its generations counts.

    Jobs that come from elsewhere than jsworker submit are in no batch's manifest, and so in no batch here.
    """
    run(_batches(form))


async def _batches(form: str) -> int:
    settings = load(ClientSettings)
    quiet_logs()
    async with open_client(settings) as client:
        found = await batches(client.blobs, settings.results_container)
    with output(None) as out:
        if form == "json":
            out.write(json.dumps([document(summary) for summary in found], indent=1) + "\n")
        else:
            out.writelines(f"{line}\n" for line in table(found))
    return 0


def document(summary: Summary) -> dict[str, Any]:
    """A batch for programs."""
    created_at = summary.created_at.isoformat(timespec="seconds").replace("+00:00", "Z")
    return {**asdict(summary), "created_at": created_at}


def table(found: Sequence[Summary]) -> Iterator[str]:
    """A line a batch under headings; a generation stands under its batch."""
    names = [f"  {each.name}" if each.generation_of else each.name for each in found]
    width = max([len("BATCH"), *map(len, names)])
    yield f"{'BATCH':<{width}}  {'JOBS':>7}  {'DONE':>7}  {'CREATED':<20}  {'STATE':<9}  COUNTS"
    for name, each in zip(names, found, strict=True):
        numbers = f"{each.jobs:>7}  {each.done:>7}"
        row = f"{name:<{width}}  {numbers}  {shown(each.created_at):<20}  {each.state:<9}  {_counts(each)}"
        yield row.rstrip()


def _counts(summary: Summary) -> str:
    if summary.generations == 1:
        return ""
    return f"generation {summary.counts[0]} of {summary.generations}"
