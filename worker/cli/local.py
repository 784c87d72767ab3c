"""``jsworker local``: the local stack, for as long as one likes."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

import click

from worker.cli.running import FILE, Failure, examples, failures, run
from worker.cli.stack import STATE, sessions_by_default
from worker.local.background import running, start_in_background, stop
from worker.local.config import StackConfig
from worker.local.stack import LocalStack
from worker.setting_groups import PREFIX

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@click.group("local")
def command() -> None:
    """Start and stop the local stack: a broker, a session pool and a blob store on this machine."""


@command.command(
    "up",
    epilog=examples(
        "jsworker local up",
        "jsworker local up --max-sessions 16 --state /tmp/stack",
        "jsworker local up --foreground",
        "jsworker local up --faults faults.json",
    ),
)
@STATE
@click.option("--max-sessions", type=click.IntRange(1, 600), help="Sessions at a time; one a processor.")
@click.option(
    "--spares", type=click.IntRange(0, 100), default=1, show_default=True, help="Sessions kept ready."
)
@click.option(
    "--cooldown",
    "cooldown_seconds",
    type=click.FloatRange(min=0),
    default=300,
    show_default=True,
    help="Seconds without use after which a session is released.",
)
@click.option("--faults", "faults_file", type=FILE, help="What goes wrong; may be changed meanwhile.")
@click.option("--unsafe-no-sandbox", is_flag=True, help="Confine nothing: programs can do all that you can.")
@click.option("--foreground", is_flag=True, help="Stay until interrupted.")
def up(state: Path, max_sessions: int | None, *, foreground: bool, **options: Any) -> None:  # noqa: ANN401 - click's
    """Start the local stack; it stays until `jsworker local down`."""
    config = StackConfig(state_dir=state, max_sessions=max_sessions or sessions_by_default(), **options)
    if foreground:
        run(_stay(config))
    with failures():
        environment = start_in_background(config)
    _tell(config, environment)


@command.command("down", epilog=examples("jsworker local down"))
@STATE
def down(state: Path) -> None:
    """Stop the local stack; its queue and blobs are kept for the next time."""
    click.echo("stopped" if stop(state) else f"no local stack is running in {state}", err=True)


@command.command("env", epilog=examples('eval "$(jsworker local env --export)"', "jsworker local env > .env"))
@STATE
@click.option("--export", is_flag=True, help="Begin each line with `export`.")
def env(state: Path, *, export: bool) -> None:
    """Print the settings that make the other commands use the local stack."""
    environment = running(state)
    if environment is None:
        raise Failure(f"no local stack is running in {state}: start it with `jsworker local up`")
    for name, value in environment.items():
        click.echo(f"{'export ' if export else ''}{name}={shlex.quote(value)}")


async def _stay(config: StackConfig) -> int:
    async with LocalStack(config) as stack:
        _tell(config, stack.environment)
        await stack.failed()


def _tell(config: StackConfig, environment: Mapping[str, str]) -> None:
    """Say what runs, and what to do with it."""
    endpoint = environment.get(f"{PREFIX}POOL_ENDPOINT", "")
    click.echo(f"the local stack is ready: {config.max_sessions} sessions, pool at {endpoint}")
    click.echo(
        "next:\n"
        "  jsworker grade --local FOLDER              run programs on it\n"
        '  eval "$(jsworker local env --export)"      use it with run, submit, watch and results\n'
        "  jsworker local down                        stop it"
    )
