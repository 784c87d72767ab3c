"""``jsworker doctor``."""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console

from worker import __version__
from worker.cli import doctor_lines
from worker.cli.running import UNDONE, examples, quiet_logs, run
from worker.doctor.checks import checks
from worker.doctor.diagnosis import diagnose
from worker.doctor.finding import PARTS
from worker.instants import written

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from worker.doctor.check import Check
    from worker.doctor.finding import Finding, Part

VERSION = 1


@click.command(
    "doctor",
    epilog=examples(
        "jsworker doctor",
        "jsworker doctor --only storage",
        "jsworker doctor --json | jq -r '.findings[] | select(.status == \"failed\") | .message, .remedy'",
    ),
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document, with every finding and its facts.")
@click.option("--only", type=click.Choice(PARTS), help="Look at this part, and at what it needs.")
def command(*, as_json: bool, only: Part | None) -> None:
    """Find what is wrong with the settings and services, and say what mends it.

    Nothing is changed: what is written or allocated for a check is removed again, also after Ctrl-C.
    One session is allocated. The exit status is 0 when nothing failed, and 1 otherwise.
    """
    run(_examined(as_json=as_json, only=only))


async def _examined(*, as_json: bool, only: Part | None) -> int:
    quiet_logs()
    with _progress() as tell:
        findings = await diagnose(os.environ, checks(), tell, only=only)
    if as_json:
        click.echo(json.dumps(document(findings)))
    else:
        _show(findings)
    return UNDONE if any(finding.status == "failed" for finding in findings) else 0


def document(findings: Sequence[Finding]) -> dict[str, Any]:
    """All that was found, for programs."""
    return {
        "version": VERSION,
        "jsworker": __version__,
        "at": written(datetime.now(UTC)),
        "failed": sum(finding.status == "failed" for finding in findings),
        "findings": [asdict(finding) for finding in findings],
    }


def _show(findings: Sequence[Finding]) -> None:
    console = Console(markup=False, highlight=False)
    for text in doctor_lines.wrong(findings):
        console.print(text, soft_wrap=True)
    console.print(doctor_lines.rest(findings))


@contextmanager
def _progress() -> Iterator[Callable[[Check], None]]:
    """Say on stderr what is looked at: on a terminal each check, else each part once."""
    console = Console(stderr=True, markup=False, highlight=False)
    if not console.is_terminal:
        yield _once_a_part()
        return
    with console.status("looking at the settings") as status:
        yield lambda check: status.update(f"looking at {check.part}: {check.id}")


def _once_a_part() -> Callable[[Check], None]:
    told: set[str] = set()

    def tell(check: Check) -> None:
        if check.part not in told:
            told.add(check.part)
            click.echo(f"looking at {check.part}", err=True)

    return tell
