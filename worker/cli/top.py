"""``jsworker top``."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click
from rich.console import Console
from rich.live import Live

from worker.cli.local import STATE
from worker.cli.running import examples, output, quiet_logs, run
from worker.cli.screen import view
from worker.cli.watch_worker import Target, open_watch

if TYPE_CHECKING:
    from pathlib import Path

    from worker.cli.looking import Look
    from worker.cli.watch_worker import Watch

WIDTH_OF_FILES = 100


def _url(_ctx: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    if value is None:
        return None
    url = value if "://" in value else f"http://{value}"
    try:
        parts = urlsplit(url)
        is_address = parts.scheme in ("http", "https") and parts.hostname and (parts.port or True)
    except ValueError:
        is_address = False
    if not is_address:
        raise click.BadParameter(f"{value!r} is no address like http://127.0.0.1:8080")
    return f"{parts.scheme}://{parts.netloc}"


@click.command(
    "top",
    epilog=examples(
        "jsworker top",
        "jsworker top --local",
        "jsworker top --url http://127.0.0.1:9090 --interval 5",
        "jsworker top --json | jq .gauges.slots",
        'az containerapp exec --name worker --resource-group rg --command "jsworker top"',
    ),
)
@click.option(
    "--url",
    callback=_url,
    help="Where the worker serves its health; by default this machine, at JSWORKER_HEALTH_PORT or 8080.",
)
@click.option(
    "--interval",
    type=click.FloatRange(0.1, 3600),
    default=1.0,
    show_default=True,
    help="Seconds between looks.",
)
@click.option("--once", is_flag=True, help="Print what there is to see and end; so it is without a terminal.")
@click.option("--json", "as_json", is_flag=True, help="Print the worker's document as JSON and end.")
@click.option("--local", is_flag=True, help="Look at the local stack too: its queues, its pool, its workers.")
@STATE
def command(  # noqa: PLR0913 - the options
    url: str | None,
    interval: float,
    state: Path,
    *,
    once: bool,
    as_json: bool,
    local: bool,
) -> None:
    """Show what a worker does: slots, sessions, rates, phases and last jobs, and how full its queues are.

    A worker answers its own machine only: run this where it runs. It shows until interrupted.
    """
    target = Target(url, state if local else None)
    run(_top(target, interval, once=once or not sys.stdout.isatty(), as_json=as_json))


async def _top(target: Target, interval: float, *, once: bool, as_json: bool) -> int:
    quiet_logs()
    async with open_watch(target) as watch:
        if as_json:
            document = await watch.document()
            with output(None) as file:
                file.write(json.dumps(document) + "\n")
        elif once:
            _print(await watch.surrounded(await watch.first()))
        else:
            await _live(watch, interval)
    return 0


def _print(look: Look) -> None:
    with output(None) as file:
        console = Console(file=file, width=shutil.get_terminal_size((WIDTH_OF_FILES, 0)).columns)
        console.print(view(look, console))


class Screen:
    """A look on the terminal, kept as new as it can be; the terminal is as it was when ``live`` is left."""

    def __init__(self, watch: Watch, look: Look, live: Live) -> None:
        self._watch, self._look, self._live = watch, look, live

    async def follow(self, interval: float) -> None:
        """Show the worker, until cancelled."""
        console = self._live.console
        while True:
            self._live.update(view(self._look, console, console.height), refresh=True)
            await asyncio.sleep(interval)
            newer = await self._watch.worker(self._look)
            self._look = replace(newer, stack=self._look.stack)  # which may have been seen anew meanwhile

    async def follow_around(self, interval: float) -> None:
        """Look at what is around it, until cancelled."""
        while around := self._watch.around:
            self._look = replace(self._look, stack=await around.look())
            await asyncio.sleep(max(interval, around.seconds))


async def _live(watch: Watch, interval: float) -> None:
    look = await watch.first()
    with Live(screen=True, auto_refresh=False) as live:
        screen = Screen(watch, look, live)
        await asyncio.gather(screen.follow(interval), screen.follow_around(interval))
