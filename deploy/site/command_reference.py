"""The reference of the commands, from the commands themselves."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING

import click

from worker.cli import main

if TYPE_CHECKING:
    from collections.abc import Iterator

PROGRAM = "jsworker"
INTRODUCTION = f"""\
# Commands

What `{PROGRAM} COMMAND --help` says of each. Settings are [environment variables](../settings.md). Data goes
to stdout, progress to stderr; the exit status is 0 when all is done, 1 when something could not be done, and
2 for wrong usage or wrong settings.
"""


def commands_page() -> str:
    """The page of all commands, in the order of their use."""
    return INTRODUCTION + "".join(_section(context) for context in contexts())


def contexts() -> Iterator[click.Context]:
    """Each command but the first of all, with the names that lead to it."""
    yield from _below(click.Context(main, info_name=PROGRAM))


def example_lines(command: click.Command) -> list[str]:
    """The examples of a command, a line each."""
    lines = inspect.cleandoc((command.epilog or "").replace("\b", "")).splitlines()
    return [line.strip() for line in lines if line.strip().startswith((PROGRAM, "eval"))]


def _below(context: click.Context) -> Iterator[click.Context]:
    group = context.command
    if not isinstance(group, click.Group):
        return
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is not None and not command.hidden:
            child = click.Context(command, parent=context, info_name=name)
            yield child
            yield from _below(child)


def _section(context: click.Context) -> str:
    command = context.command
    path = context.command_path
    level = "#" * (path.count(" ") + 1)
    parts = [f"\n{level} {path.removeprefix(PROGRAM + ' ')}", _prose(command.help or "")]
    if not isinstance(command, click.Group):
        usage = " ".join(command.collect_usage_pieces(context))
        parts += [f"```text\n{path} {usage}\n```", *_options(context)]
    if examples := example_lines(command):
        parts.append("```bash\n" + "\n".join(examples) + "\n```")
    return "\n\n".join(parts) + "\n"


def _options(context: click.Context) -> Iterator[str]:
    """The table of the options; none if there are no options but that for help."""
    records = [
        record
        for option in context.command.params
        if isinstance(option, click.Option) and (record := option.get_help_record(context))
    ]
    if records:
        rows = "\n".join(f"| `{names}` | {_escaped(told)} |" for names, told in records)
        yield f"| option | does |\n|---|---|\n{rows}"


def _prose(text: str) -> str:
    """The paragraphs of a help text, whose line breaks mean nothing."""
    paragraphs = inspect.cleandoc(text).split("\n\n")
    return "\n\n".join(_escaped(" ".join(paragraph.split())) for paragraph in paragraphs)


def _escaped(text: str) -> str:
    """Text in which nothing means something to Markdown but code."""
    parts = re.split(r"(`[^`]*`)", text)
    return "".join(part if part.startswith("`") else _plain(part) for part in parts)


def _plain(text: str) -> str:
    return re.sub(r"([*_\[|])", r"\\\1", text.replace("&", "&amp;").replace("<", "&lt;"))
