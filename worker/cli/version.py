"""``jsworker version``."""

from __future__ import annotations

import click

from worker.version import __version__


@click.command("version")
def command() -> None:
    """Print the version."""
    click.echo(f"jsworker {__version__}")
