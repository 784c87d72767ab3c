"""``jsworker doctor``."""

from __future__ import annotations

import json
import logging
import os
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console

from worker.cli import doctor_lines
from worker.cli.running import UNDONE, examples, output, quiet_logs, run
from worker.doctor.checks import checks
from worker.doctor.context import open_context
from worker.doctor.diagnosis import diagnose
from worker.doctor.finding import PARTS
from worker.doctor.probe import probe
from worker.doctor.probe_report import report_of
from worker.doctor.questions import QUESTIONS
from worker.instants import written
from worker.settings import WorkerSettings, load
from worker.version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from worker.doctor.finding import Finding, Part
    from worker.doctor.probe_report import ProbeReport

VERSION = 1


@dataclass(frozen=True)
class Wanted:
    """What the command was asked for."""

    as_json: bool
    probes: bool
    fills: bool
    only: Part | None
    report: Path | None


@click.command(
    "doctor",
    epilog=examples(
        "jsworker doctor",
        "jsworker doctor --only storage",
        "jsworker doctor --json | jq -r '.findings[] | select(.status == \"failed\") | .message, .remedy'",
        "jsworker doctor --probe --report pool.md     # writes pool.json, too",
    ),
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document, with every finding and its facts.")
@click.option("--only", type=click.Choice(PARTS), help="Look at this part, and at what it needs.")
@click.option("--probe", "probes", is_flag=True, help="Ask the pool what is not known of its kind; a minute.")
@click.option("--probe-full", "fills", is_flag=True, help="The same, and fill the pool for a moment.")
@click.option(
    "--report",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where --probe's report goes, as Markdown, and beside it as JSON; it has no secrets in it.",
)
def command(*, probes: bool, fills: bool, **options: Any) -> None:  # noqa: ANN401 - click's
    """Find what is wrong with the settings and services, and say what mends it.

    Nothing is changed: what is written or allocated for a check is removed again, also after Ctrl-C.
    One session is allocated, by --probe ten, by --probe-full one more than JSWORKER_MAX_SESSIONS. The exit
    status is 0 when nothing failed and what was asked for could be done, and 1 otherwise.
    """
    wanted = Wanted(probes=probes or fills, fills=fills, **options)
    if wanted.report and not wanted.probes:
        raise click.UsageError("--report goes with --probe.")
    if wanted.report and wanted.report.suffix == ".json":
        raise click.UsageError("--report names the Markdown, as pool.md; the JSON is written beside it.")
    if wanted.report and not wanted.report.parent.is_dir():
        raise click.UsageError(f"--report: there is no folder {wanted.report.parent}")
    if wanted.probes and wanted.only not in (None, "pool"):
        raise click.UsageError("--probe asks the pool, and --only leaves it out.")
    run(_examined(wanted))


async def _examined(wanted: Wanted) -> int:
    quiet_logs()
    with _sdks_quiet(), _progress() as tell:
        found = await diagnose(
            os.environ,
            checks(fill=wanted.fills),
            lambda check: tell(check.part, check.id),
            only=wanted.only,
        )
        report = await _probed(found, tell) if wanted.probes else None
    _say(wanted, found, report)
    is_undone = wanted.probes and report is None
    return UNDONE if is_undone or any(finding.status == "failed" for finding in found) else 0


@contextmanager
def _sdks_quiet() -> Iterator[None]:
    """What is wrong is told once, by the findings."""
    logger = logging.getLogger("azure")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)


async def _probed(found: Sequence[Finding], tell: Callable[[str, str], None]) -> ProbeReport | None:
    """What the pool answers, if programs run in it at all."""
    if not any((finding.check, finding.status) == ("pool-execution", "ok") for finding in found):
        click.echo("no probe is made: no program could be run in the pool", err=True)
        return None
    settings = load(WorkerSettings)
    async with open_context(settings) as context:
        replies = await probe(context, QUESTIONS, lambda question: tell("probe", question))
    return report_of(settings, written(datetime.now(UTC)), replies, found)


def _say(wanted: Wanted, found: Sequence[Finding], report: ProbeReport | None) -> None:
    if wanted.as_json:
        click.echo(json.dumps(document(found, report)))
    else:
        _show(found)
    if report and wanted.report:
        with output(wanted.report) as file:
            file.write(report.markdown())
        with output(wanted.report.with_suffix(".json")) as file:
            json.dump(report.document(), file, indent=2)
    elif report and not wanted.as_json:
        click.echo(f"\n{report.markdown()}", nl=False)


def document(found: Sequence[Finding], report: ProbeReport | None) -> dict[str, Any]:
    """All that was found, for programs."""
    return {
        "version": VERSION,
        "jsworker": __version__,
        "at": written(datetime.now(UTC)),
        "failed": sum(finding.status == "failed" for finding in found),
        "findings": [asdict(finding) for finding in found],
        **({"probe": report.document()} if report else {}),
    }


def _show(found: Sequence[Finding]) -> None:
    console = Console(markup=False, highlight=False)
    for text in doctor_lines.wrong(found):
        console.print(text, soft_wrap=True)
    console.print(doctor_lines.rest(found, is_narrow=console.width < doctor_lines.NARROW))
    console.print(f"\n{doctor_lines.summary(found)}")


@contextmanager
def _progress() -> Iterator[Callable[[str, str], None]]:
    """Say on stderr what is looked at: on a terminal each check, else each part once."""
    console = Console(stderr=True, markup=False, highlight=False)
    if not console.is_terminal:
        yield _once_a_part()
        return
    with console.status("looking at the settings") as status:
        yield lambda part, check: status.update(f"looking at {part}: {check}")


def _once_a_part() -> Callable[[str, str], None]:
    told: set[str] = set()

    def tell(part: str, _check: str) -> None:
        if part not in told:
            told.add(part)
            click.echo(f"looking at {part}", err=True)

    return tell
