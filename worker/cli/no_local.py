"""``jsworker local`` in an installation without a local stack."""

import click

from worker.cli.running import Failure
from worker.cli.stack import ABSENT


@click.command("local", context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1)
def command(**_arguments: tuple[str, ...]) -> None:
    """Start and stop the local stack, which is not there."""
    raise Failure(ABSENT)
