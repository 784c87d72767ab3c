"""What the doctor found, for people: first what is wrong, each with what mends it, then the rest."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table
from rich.text import Text

from worker.doctor.finding import WORST_FIRST
from worker.report.text import counted, printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import RenderableType

    from worker.doctor.finding import Finding, Status

NARROW = 72  # columns, under which there is no room for a table
WRONG = ("failed", "warning")
_COLOURS: dict[Status, str] = {
    "failed": "bold red",
    "warning": "bold yellow",
    "unknown": "magenta",
    "info": "cyan",
    "ok": "green",
}


def wrong(findings: Sequence[Finding]) -> Iterator[Text]:
    """Each finding that something is to be done about; no line is broken, so that commands can be copied."""
    for finding in _sorted(findings):
        if finding.status in WRONG:
            yield Text.assemble(
                (f"{finding.status:<8}", _COLOURS[finding.status]),
                (f"{finding.part}: {finding.check}", "bold"),
                f"\n        {printable(finding.message)}",
            )
            if finding.remedy:
                yield Text.assemble(("     -> ", "bold"), printable(finding.remedy))
            yield Text()


def rest(findings: Sequence[Finding], *, is_narrow: bool = False) -> RenderableType:
    """All other findings, a row each; where there is no room for columns, a paragraph each."""
    others = [finding for finding in _sorted(findings) if finding.status not in WRONG]
    return Group(*map(_paragraph, others)) if is_narrow or not others else _table(others)


def _paragraph(finding: Finding) -> Text:
    head = (finding.status, _COLOURS[finding.status])
    return Text.assemble(head, f" {finding.part}: {finding.check}: ", _said(finding))


def _table(findings: Sequence[Finding]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("STATUS")
    table.add_column("PART")
    table.add_column("CHECK", no_wrap=True)
    table.add_column("FOUND")
    for finding in findings:
        status = Text(finding.status, _COLOURS[finding.status])
        table.add_row(status, finding.part, finding.check, Text(_said(finding)))
    return table


def _said(finding: Finding) -> str:
    remedy = f"\n-> {printable(finding.remedy)}" if finding.remedy else ""
    return printable(finding.message) + remedy


def summary(findings: Sequence[Finding]) -> str:
    """How many there are of each status, the worst first."""
    counts = Counter(finding.status for finding in findings)
    parts = [f"{counts[status]} {status}" for status in WORST_FIRST if counts[status]]
    return f"{counted(len(findings), 'finding')}: {', '.join(parts)}"


def _sorted(findings: Sequence[Finding]) -> list[Finding]:
    """The worst first; those of one status in the order in which they were found."""
    return sorted(findings, key=lambda finding: WORST_FIRST.index(finding.status))
