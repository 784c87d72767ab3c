"""Whether the command line takes what the documentation says; nothing is run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from worker.cli import main

if TYPE_CHECKING:
    from collections.abc import Sequence

_PLACEHOLDERS = ("…", "...")


def fault(arguments: Sequence[str], *, with_values: bool = True) -> str | None:
    """What is wrong with the arguments of a call: a command, an option or a value; None if nothing is.

    Files need not exist. Without values, only the names of commands and options count.
    """
    context = click.Context(main, info_name="jsworker")
    rest = [argument for argument in arguments if argument not in _PLACEHOLDERS]
    while isinstance(context.command, click.Group):
        if not rest or rest[0].startswith("-"):
            return None if not rest or rest == ["--help"] else f"no command before {rest[0]}"
        command = context.command.get_command(context, rest[0])
        if command is None:
            return f"no command {rest[0]!r} of {context.command_path!r}"
        context = click.Context(command, parent=context, info_name=rest.pop(0))
    try:
        _parse(context, rest, with_values=with_values)
    except click.UsageError as error:
        return f"{context.command_path}: {error.format_message()}"
    return None


def _parse(context: click.Context, rest: list[str], *, with_values: bool) -> None:
    values, left, _ = context.command.make_parser(context).parse_args(args=rest)
    if not with_values:
        return
    if left:
        raise click.UsageError(f"takes no {left}")
    for parameter in context.command.get_params(context):
        given = values.get(parameter.name or "")
        is_given = bool(given) and isinstance(given, str | list | tuple)
        if parameter.required and not is_given:
            raise click.MissingParameter(ctx=context, param=parameter)
        if is_given and not isinstance(parameter.type, click.Path):
            parameter.type_cast_value(context, given)
