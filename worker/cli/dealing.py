"""Dealing with dead letters that were asked for, and saying how far it came."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING

import click

from worker.cli import letters
from worker.cli.running import UNDONE, output, quiet_logs
from worker.replaying import Fate, Pass, Purge, Replay, Tally
from worker.settings import ClientSettings, load
from worker.tools import open_dead_letters

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable

    from worker.dead_letter_queue import DeadLetterQueue
    from worker.replaying import Taken
    from worker.seen import Seen, Wanted
    from worker.tools import DeadLetterTools

LINE_SECONDS = 5.0
_LEFT: dict[Fate, str] = {
    "has_an_outcome": "stay, since their jobs have an outcome of their own (purge removes them)",
    "no_data": "stay, since they carry no data that could be sent again (purge removes them)",
}


@asynccontextmanager
async def opened() -> AsyncIterator[DeadLetterTools]:
    """The queues and blobs of the settings, quietly."""
    settings = load(ClientSettings)
    quiet_logs()
    async with open_dead_letters(settings) as tools:
        yield tools


async def matching(tools: DeadLetterTools, wanted: Wanted) -> AsyncGenerator[Seen]:
    """The dead letters that are meant, queue by queue and in the queue's order; nothing is locked."""
    start = min(wanted.numbers, default=1)
    async with aclosing(tools.browser.messages(dead=True, start=start)) as found:
        async for letter in found:
            if wanted.takes(letter):
                yield letter


async def replay(wanted: Wanted, rate: float, *, dry_run: bool) -> int:
    """Run the jobs of these letters again; the exit status."""
    return await _deal(
        wanted, "replayed", lambda tools, queue: Replay(queue, tools.recorder, tools.committer), rate,
        dry_run=dry_run,
    )  # fmt: skip


async def purge(wanted: Wanted, rate: float, *, dry_run: bool) -> int:
    """Remove these letters; the exit status."""
    return await _deal(
        wanted, "purged", lambda tools, queue: Purge(queue, tools.recorder), rate, dry_run=dry_run
    )


async def _deal(
    wanted: Wanted,
    verb: str,
    act: Callable[[DeadLetterTools, DeadLetterQueue], Callable[[Taken], Awaitable[Fate]]],
    rate: float,
    *,
    dry_run: bool,
) -> int:
    async with opened() as tools:
        groups, told = letters.Groups(), Told(verb, list(tools.queues))
        async with aclosing(matching(tools, wanted)) as found:
            async for letter in found:
                groups.add(letter)
                told.add(letter)
        if dry_run or not told.count:
            _show_plan(groups, told.count, verb)
            return 0
        try:
            for name, queue in tools.queues.items():
                await Pass(queue, act(tools, queue), rate).run(told.tallies[name], told.tick)
        finally:
            told.sum_up()
    return UNDONE if told.left else 0


def _show_plan(groups: letters.Groups, count: int, verb: str) -> None:
    if count:
        with output(None) as out:
            out.writelines(f"{text}\n" for text in groups.table())
    click.echo(f"{count} dead letters match; none was {verb}", err=True)


class Told:
    """What is said of the passes through the queues, on stderr.

    Attributes:
        tallies: how far each queue's pass is, by the queue's name.
        count: how many letters are meant.
    """

    def __init__(self, verb: str, queues: Iterable[str]) -> None:
        self.tallies, self.count = {name: Tally(set()) for name in queues}, 0
        self._verb, self._due = verb, time.monotonic() + LINE_SECONDS

    def add(self, letter: Seen) -> None:
        """A letter that is meant."""
        self.tallies[letter.queue].wanted.add(letter.sequence_number)
        self.count += 1

    @property
    def left(self) -> int:
        """How many of them have not left their queue."""
        return sum(tally.left for tally in self.tallies.values())

    def tick(self) -> None:
        """A line every few seconds."""
        if time.monotonic() >= self._due:
            self._due += LINE_SECONDS
            click.echo(f"{self.count - self.left} of {self.count} {self._verb}", err=True)

    def sum_up(self) -> None:
        """How far it came, however it ended."""
        click.echo(f"{self.count - self.left} of {self.count} {self._verb}", err=True)
        for fate, count in sum((tally.fates for tally in self.tallies.values()), Counter[Fate]()).items():
            if fate in _LEFT:
                click.echo(f"  {count} {_LEFT[fate]}", err=True)
        if wanted := sum(len(tally.wanted) for tally in self.tallies.values()):
            click.echo(
                f"  {wanted} not reached, and still dead letters unless somebody else took them; "
                "run this again to go on",
                err=True,
            )
