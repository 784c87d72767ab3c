"""Dealing with dead letters that were asked for, and saying how far it came."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING

import click

from worker.app import open_dead_letters
from worker.cli import letters
from worker.cli.running import UNDONE, output, quiet_logs
from worker.replaying import Pass, Purge, Replay, Tally
from worker.settings import ClientSettings, load

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable

    from worker.app import DeadLetterTools
    from worker.replaying import Fate, Taken
    from worker.seen import Seen, Wanted

LINE_SECONDS = 5.0
_LEFT: dict[Fate, str] = {
    "has_an_outcome": "stay, since their jobs have an outcome of their own (purge removes them)",
    "no_data": "stay, since they carry no data that could be sent again (purge removes them)",
}


@asynccontextmanager
async def opened() -> AsyncIterator[DeadLetterTools]:
    """The queue and blobs of the settings, quietly."""
    settings = load(ClientSettings)
    quiet_logs()
    async with open_dead_letters(settings) as tools:
        yield tools


async def matching(tools: DeadLetterTools, wanted: Wanted) -> AsyncGenerator[Seen]:
    """The dead letters that are meant, in the queue's order; nothing is locked."""
    start = min(wanted.numbers, default=1)
    async with aclosing(tools.browser.messages(dead=True, start=start)) as found:
        async for letter in found:
            if wanted.takes(letter):
                yield letter


async def replay(wanted: Wanted, rate: float, *, dry_run: bool) -> int:
    """Run the jobs of these letters again; the exit status."""
    return await _deal(
        wanted, "replayed", lambda tools: Replay(tools.queue, tools.recorder, tools.committer), rate,
        dry_run=dry_run,
    )  # fmt: skip


async def purge(wanted: Wanted, rate: float, *, dry_run: bool) -> int:
    """Remove these letters; the exit status."""
    return await _deal(
        wanted, "purged", lambda tools: Purge(tools.queue, tools.recorder), rate, dry_run=dry_run
    )


async def _deal(
    wanted: Wanted,
    verb: str,
    act: Callable[[DeadLetterTools], Callable[[Taken], Awaitable[Fate]]],
    rate: float,
    *,
    dry_run: bool,
) -> int:
    async with opened() as tools:
        groups, numbers = letters.Groups(), set[int]()
        async with aclosing(matching(tools, wanted)) as found:
            async for letter in found:
                groups.add(letter)
                numbers.add(letter.sequence_number)
        if dry_run or not numbers:
            _show_plan(groups, len(numbers), verb)
            return 0
        told = Told(Tally(numbers), verb)
        try:
            await Pass(tools.queue, act(tools), rate).run(told.tally, told.tick)
        finally:
            told.sum_up()
    return UNDONE if told.tally.left else 0


def _show_plan(groups: letters.Groups, count: int, verb: str) -> None:
    if count:
        with output(None) as out:
            out.writelines(f"{text}\n" for text in groups.table())
    click.echo(f"{count} dead letters match; none was {verb}", err=True)


class Told:
    """What is said of a pass, on stderr."""

    def __init__(self, tally: Tally, verb: str) -> None:
        self.tally, self._verb, self._count = tally, verb, len(tally.wanted)
        self._due = time.monotonic() + LINE_SECONDS

    def tick(self) -> None:
        """A line every few seconds."""
        if time.monotonic() >= self._due:
            self._due += LINE_SECONDS
            click.echo(f"{self.tally.gone} of {self._count} {self._verb}", err=True)

    def sum_up(self) -> None:
        """How far it came, however it ended."""
        tally = self.tally
        click.echo(f"{tally.gone} of {self._count} {self._verb}", err=True)
        for fate, count in Counter(tally.fates).items():
            if fate in _LEFT:
                click.echo(f"  {count} {_LEFT[fate]}", err=True)
        if tally.wanted:
            click.echo(
                f"  {len(tally.wanted)} not reached, and still dead letters unless somebody else took them; "
                "run this again to go on",
                err=True,
            )
