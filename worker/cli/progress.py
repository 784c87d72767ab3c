"""Progress on stderr: a bar on a terminal, else a line every few seconds and only when something changed."""

from __future__ import annotations

import time
from contextlib import aclosing
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
from rich.progress import Progress as Bar

from worker.completion import put_on_record
from worker.watching import Pace, follow

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable

    from worker.batch import Folder, Store
    from worker.watching import Progress

LINE_SECONDS = 5.0


async def show(batch: str, looks: AsyncGenerator[Progress]) -> None:
    """Show a batch's progress until it is complete."""
    console = Console(stderr=True)
    async with aclosing(looks):
        if console.is_terminal:
            await _bar(batch, looks, console)
        else:
            await _lines(batch, looks)


async def show_complete(store: Store, folder: Folder, ids: Iterable[str]) -> None:
    """Show a batch's progress until it is complete, and see to it that this is on record."""
    await show(folder.batch, follow(store, folder, ids))
    await put_on_record(store, folder)


async def _bar(batch: str, looks: AsyncGenerator[Progress], console: Console) -> None:
    pace = Pace()
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[note]}", markup=False),
    )
    with Bar(*columns, console=console) as bar:
        task = bar.add_task(batch, total=None, note="")
        async for progress in looks:
            pace.saw(time.monotonic(), progress.done)
            bar.update(task, total=progress.total, completed=progress.done, note=_note(progress, pace))


async def _lines(batch: str, looks: AsyncGenerator[Progress]) -> None:
    pace, said, due = Pace(), -1, 0.0
    async for progress in looks:
        now = time.monotonic()
        pace.saw(now, progress.done)
        if progress.done != said and (now >= due or not progress.waiting):
            note = _note(progress, pace)
            click.echo(f"{batch}: {progress.done} of {progress.total} done{note and ', '}{note}", err=True)
            said, due = progress.done, now + LINE_SECONDS


def _note(progress: Progress, pace: Pace) -> str:
    """Rate, time left and what came out so far."""
    parts = [f"{pace.rate:.1f}/s"] if pace.rate else []
    left = pace.seconds_left(progress.total)
    if left and progress.waiting:
        parts.append(f"{duration(left)} left")
    counts = progress.counts.most_common()
    return ", ".join(parts + [f"{count} {word.replace('_', ' ')}" for word, count in counts])


def duration(seconds: float) -> str:
    """A length of time for people: ``4:05``, or ``1:00:07`` with hours."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
