"""What ``jsworker top`` shows of a look: text of jobs is shown, never interpreted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.console import Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from worker.cli.bars import Bar, Spark
from worker.report import printable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import Console, RenderableType

    from worker.cli.looking import Look, Stack
    from worker.recent import Ended, Phase, Rates
    from worker.status import Status

NARROW = 78  # columns, under which panels stand one under the other
MOST_REASONS = 4
_TITLES_LINES = 3  # of a table of jobs, around its rows
_GOOD, _BAD, _WORSE, _QUIET = "green", "yellow", "red", "bright_black"
_STYLES = {"succeeded": _GOOD, "accepted": _GOOD, "infrastructure_failed": _WORSE, "internal_error": _WORSE}


def view(look: Look, console: Console, height: int | None = None) -> RenderableType:
    """All that is known, for the width of the console; of so many lines at most, as many jobs as fit."""
    parts = _parts(look, is_narrow=console.width < NARROW)
    jobs = look.status.recent if look.status else ()
    if height is not None:
        used = len(console.render_lines(Group(*parts), pad=False))
        jobs = jobs[: max(0, height - used - _TITLES_LINES)]
    return Group(*parts, *([_jobs(jobs, is_narrow=console.width < NARROW)] if jobs else []))


def _parts(look: Look, *, is_narrow: bool) -> list[RenderableType]:
    status = look.status
    parts: list[RenderableType] = [_title(status)] if status else []
    parts += [Text(printable(line), _WORSE) for line in _troubles(look)]
    if status:
        parts.append(_beside([_slots(status), _sessions(status), _rates(status.rates)], is_narrow=is_narrow))
    row = [_phases(status.phases)] if status and status.phases else []
    if look.stack:
        row.append(_stack(look.stack))
    return [*parts, *([_beside(row, is_narrow=is_narrow)] if row else [])]


def _troubles(look: Look) -> list[str]:
    """What is wrong, the worst first."""
    lost = f"not reachable since {look.lost_at:%H:%M:%S}: " if look.lost_at else ""
    missing = [lost + look.trouble] if look.trouble else []
    reasons = look.status.gauges.reasons if look.status else ()
    more = [f"and {len(reasons) - MOST_REASONS} more"] if len(reasons) > MOST_REASONS else []
    return [*missing, *reasons[:MOST_REASONS], *more]


def _title(status: Status) -> RenderableType:
    seconds = max(0, round((status.at - status.started_at).total_seconds()))
    up = f"{seconds // 86400} d " if seconds >= 86400 else ""  # noqa: PLR2004 - a day
    up += f"{seconds // 3600 % 24}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    ready = Text("ready", f"bold {_GOOD}") if status.gauges.ready else Text("not ready", f"bold {_WORSE}")
    line = Table.grid(expand=True)
    line.add_column(ratio=1, no_wrap=True)
    line.add_column(justify="right", no_wrap=True)
    name = Text.assemble(
        (printable(status.instance), "bold"), f"  jsworker {printable(status.version)}", overflow="ellipsis"
    )
    line.add_row(name, Text.assemble(f"up {up}  {status.at.astimezone():%H:%M:%S}  ", ready))
    return line


def _beside(panels: Sequence[RenderableType], *, is_narrow: bool) -> RenderableType:
    if is_narrow:
        return Group(*panels)
    row = Table.grid(expand=True)
    for _ in panels:
        row.add_column(ratio=1)
    row.add_row(*panels)
    return row


def _panel(title: str, *lines: RenderableType) -> Panel:
    return Panel(Group(*lines), title=title, title_align="left", box=box.ROUNDED, border_style=_QUIET)


def _slots(status: Status) -> Panel:
    slots, permits = status.gauges.slots, status.gauges.permits
    is_limited = permits.limit < permits.held
    limit = _line(f"limit: {permits.limit}", _BAD if is_limited else _QUIET)
    return _panel(
        f"slots: {slots.busy} of {slots.open} busy",
        Bar(slots.busy, slots.open, _GOOD),
        _line(f"permits: {permits.in_use} of {permits.held} in use"),
        limit,
        _line(f"{permits.waiting} waiting for one", "" if permits.waiting else _QUIET),
    )


def _sessions(status: Status) -> Panel:
    sessions, breakers = status.gauges.sessions, status.gauges.breakers
    is_open = [part for part, is_open in breakers.items() if is_open]
    return _panel(
        f"sessions: {sessions.allocated} allocated",
        Bar(sessions.allocated, status.gauges.permits.held, _GOOD),
        _line(f"{sessions.busy} busy, {sessions.kept} kept"),
        _line(f"{sessions.quarantined} being deleted", "" if sessions.quarantined else _QUIET),
        _line(f"open: {', '.join(is_open)}", _WORSE) if is_open else _line("no breaker open", _QUIET),
    )


def _rates(rates: Rates) -> Panel:
    counts = [Text(f"{count:,} {_words(name)}", _style(name)) for name, count in rates.by_status.items()]
    ended = Text(", ", no_wrap=True, overflow="ellipsis").join(counts)
    return _panel(
        f"jobs: {rates.total:,} ended",
        Spark(rates.each_second, _GOOD),
        _line(f"{rates.per_second_10s:.1f}/s in 10 seconds"),
        _line(f"{rates.per_second_60s:.1f}/s in a minute"),
        ended if counts else _line("none yet", _QUIET),
    )


def _phases(phases: Mapping[str, Phase]) -> Panel:
    table = _table(("phase",), (), ("p50", "p95"))
    table.add_column(ratio=1)
    longest = max((phase.p95_ms for name, phase in phases.items() if name != "queued"), default=0)
    for name, phase in phases.items():
        bar = Bar(phase.p95_ms, longest, _GOOD) if name != "queued" else Text()  # that is no work
        table.add_row(Text(_words(name)), Text(_duration(phase.p50_ms)), Text(_duration(phase.p95_ms)), bar)
    return _panel("phases of the last jobs", table)


def _stack(stack: Stack) -> Panel:
    lines: list[RenderableType] = []
    if stack.queues:
        table = _table(("queue",), (), ("active", "scheduled", "dead"))
        for queue in stack.queues:
            dead = Text(f"{queue.dead_lettered:,}", _WORSE if queue.dead_lettered else "")
            table.add_row(_line(queue.name), Text(f"{queue.active:,}"), Text(f"{queue.scheduled:,}"), dead)
        lines.append(table)
    if stack.sessions is not None:
        lines.append(_line(f"pool: {stack.sessions} of {stack.max_sessions} sessions allocated"))
    lines += [Text(printable(trouble), _BAD) for trouble in stack.troubles]
    return _panel("queues", *lines)


def _jobs(jobs: Sequence[Ended], *, is_narrow: bool) -> RenderableType:
    if is_narrow:
        return _panel("last jobs", _few_columns(jobs))
    table = _table(("job", "batch"), ("status", "verdict"), ("queued", "executed", "ended"))
    for job in jobs:
        table.add_row(
            _line(job.id),
            _line(job.batch),
            Text(_words(job.status), _style(job.status)),
            Text(_words(job.verdict or ""), _style(job.verdict) if job.verdict else ""),
            *(Text(_phase(job, name)) for name in ("queued", "execute")),
            Text(f"{job.finished_at.astimezone():%H:%M:%S}"),
        )
    return _panel("last jobs", table)


def _few_columns(jobs: Sequence[Ended]) -> Table:
    """Of each job its name and what came of it, for which there is room everywhere."""
    table = _table(("job",), ("ended as",), ())
    for job in jobs:
        word = job.verdict or job.status
        table.add_row(_line(job.id), Text(_words(word), _style(word)))
    return table


def _table(names: Sequence[str], words: Sequence[str], numbers: Sequence[str]) -> Table:
    """A table without lines, whose columns of names share what is left by those of numbers and words."""
    table = Table(box=None, expand=True, pad_edge=False, header_style=_QUIET)
    for name in names:
        table.add_column(name, ratio=2, no_wrap=True, overflow="ellipsis")
    for word in words:
        table.add_column(word, no_wrap=True)
    for number in numbers:
        table.add_column(number, justify="right", no_wrap=True)
    return table


def _line(text: str, style: str = "") -> Text:
    return Text(printable(text), style, no_wrap=True, overflow="ellipsis")


def _words(name: str) -> str:
    return printable(name).replace("_", " ")


def _style(name: str) -> str:
    return _STYLES.get(name, _BAD)


def _phase(job: Ended, name: str) -> str:
    return _duration(job.phases_ms[name]) if name in job.phases_ms else ""


def _duration(milliseconds: float) -> str:
    if milliseconds < 1000:  # noqa: PLR2004 - a second
        return f"{milliseconds:.0f} ms"
    return f"{milliseconds / 1000:.2f} s" if milliseconds < 100_000 else f"{milliseconds / 1000:,.0f} s"  # noqa: PLR2004 - longer ones need no more digits
