"""The command ``jsworker``; its commands are imported when asked for: the SDKs take a second to load."""

from __future__ import annotations

import os
import signal
import sys
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import click

_COMMANDS = {
    "grade": "Submit, run, watch and report in one; with --local, with no account.",
    "submit": "Upload programs and put their jobs into the queue.",
    "run": "Run the worker: take jobs from the queue until told to stop.",
    "top": "Show what a worker does, live: slots, sessions, rates, phases and queues.",
    "watch": "Show a batch's progress until all of its jobs have a result.",
    "results": "Show what came out of a batch.",
    "batches": "List the batches, and how far each is.",
    "regrade": "Run a batch's jobs again, perhaps with other cases, as a new generation.",
    "diff": "Show which verdicts and points differ between two generations.",
    "promote": "Make a generation the one that counts, or undo that.",
    "retry": "Run again what was not graded for reasons of the platform.",
    "reconcile": "Say where a batch's jobs without a result are, and repair what is nowhere.",
    "explain": "Tell one job's story, and what happens next.",
    "cancel": "End a batch, or one job, without running what has not run.",
    "deadletters": "Look at dead letters, run their jobs again, or remove them.",
    "webhooks": "Look at events that webhooks did not take, send them again, or try a webhook.",
    "routes": "Check routes, by which events become jobs.",
    "cases": "Check cases, and prove them by programs known to be right and wrong.",
    "schedule": "Run jobs at certain times: check schedules, keep the queue supplied, catch up.",
    "plan": "Say how long a number of jobs will take, what that needs and what it costs.",
    "doctor": "Find what is wrong with the settings and services, and what mends it.",
    "local": "Start and stop the local stack.",
    "schema": "Print the JSON Schema of jobs, results, cases, routes or schedules.",
    "version": "Print the version.",
}


class Commands(click.Group):
    """A group whose commands are modules of this package."""

    def main(self, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401 - click's
        """Run a command; a signal that comes while it is imported ends the process.

        The first process of a container has no default for that: the system would drop the signal.
        """
        if os.getpid() == 1:
            signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
        return super().main(*arguments, **options)

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - click's
        """Run the command that is named; Ctrl-C interrupts it, also while it is still imported."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            ctx.exit(128 + signal.SIGINT)

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """In the order of their use."""
        return list(_COMMANDS)

    def get_command(self, _ctx: click.Context, name: str) -> click.Command | None:
        """The command of that name; None when there is none."""
        if name not in _COMMANDS:
            return None
        absent = name == "local" and find_spec("worker.local") is None
        command: click.Command = import_module(f"worker.cli.{'no_local' if absent else name}").command
        return command

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List them without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.command(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Try it with no account: jsworker grade --local FOLDER_OF_PROGRAMS",
)
def main() -> None:
    """Run JavaScript programs in batches, each in a sandboxed session of its own.

    Settings are environment variables that begin with JSWORKER_; see docs/settings.md.
    """
