"""The command table of the Azure CLI, read from its own parsers; nothing is called, nobody signs in."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from tests.azure_commands.table import Option, Usage

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from tests.azure_commands.table import Table

EVENTS = "azure.cli.core.commands.events"


def version() -> str:
    """Name and version of the CLI that is installed."""
    return f"azure-cli {import_module('azure.cli.core').__version__}"


def table(names: Iterable[str]) -> Table:
    """Those of the commands named that the CLI has, whole; what extensions add is not among them."""
    cli = import_module("azure.cli.core").get_default_cli()
    parsers = ((name, _parser(cli, name)) for name in sorted(set(names)))
    return {name: _usage(parser) for name, parser in parsers if parser is not None}


def _parser(cli: Any, name: str) -> argparse.ArgumentParser | None:  # noqa: ANN401 - the CLI has no types
    """The parser of one command, made as the CLI makes it when the command is called."""
    invocation = cli.invocation_cls(
        cli_ctx=cli,
        parser_cls=cli.parser_cls,
        commands_loader_cls=cli.commands_loader_cls,
        help_cls=cli.help_cls,
    )
    cli.invocation = invocation
    loader, events = invocation.commands_loader, import_module(EVENTS)
    loader.load_command_table(name.split())
    if name not in loader.command_table:
        return None
    loader.command_table = {name: loader.command_table[name]}
    loader.command_name = invocation.data["command_string"] = name
    cli.raise_event(events.EVENT_INVOKER_PRE_LOAD_ARGUMENTS, commands_loader=loader)
    loader.load_arguments(name)
    cli.raise_event(events.EVENT_INVOKER_POST_LOAD_ARGUMENTS, commands_loader=loader)
    invocation.parser.cli_ctx = cli
    invocation.parser.load_command_table(loader)
    parser: argparse.ArgumentParser = invocation.parser
    for word in name.split():
        parser = next(action.choices for action in parser._actions if isinstance(action.choices, dict))[word]
    return parser


def _usage(parser: argparse.ArgumentParser) -> Usage:
    options = [_option(action) for action in parser._actions if action.option_strings]
    operands = [action for action in parser._actions if not action.option_strings]
    return Usage(
        tuple(option for option in options if not option.names[0].startswith("--__")),
        (sum(action.required for action in operands), len(operands)),
    )


def _option(action: argparse.Action) -> Option:
    values = {0: "none", None: "one", "?": "maybe", "*": "some", "+": "many"}[action.nargs]
    choices = tuple(str(choice) for choice in action.choices or ())
    return Option(tuple(str(name) for name in action.option_strings), values, action.required, choices)
