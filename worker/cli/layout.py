"""Options that say how submissions lie and what they are called."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import click

from worker.folders import is_program
from worker.handed_in import Layout
from worker.names import check_path
from worker.students import student_pattern

if TYPE_CHECKING:
    from collections.abc import Callable

    from worker.students import StudentPattern


def _entry(_ctx: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    if value is None:
        return None
    path = PurePosixPath(value).as_posix()
    try:
        check_path(path)
    except ValueError as error:
        raise click.BadParameter(f"it {error}") from None
    if not is_program(path):
        raise click.BadParameter("it is the path of a *.js, *.mjs or *.cjs file in each submission")
    return path


def _student(_ctx: click.Context, _parameter: click.Parameter, value: str | None) -> StudentPattern | None:
    try:
        return None if value is None else student_pattern(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


_OPTIONS = (
    click.option(
        "--each",
        type=click.Choice(["file", "folder"]),
        default="file",
        show_default=True,
        help="What is one submission: each program in a folder, or all that lies directly in it. A zip "
        "archive is one in either.",
    ),
    click.option(
        "--entry",
        callback=_entry,
        metavar="NAME",
        help="The program of submissions that have several; else package.json, main.* or index.* says.",
    ),
    click.option(
        "--student",
        callback=_student,
        metavar="PATTERN",
        help="What names look like: '{student}-*'. The student is the whole name by default.",
    ),
)


def layout_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options to a command, which gets their values by keyword."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def layout_of(options: dict[str, Any]) -> Layout:
    """Take the options out of a command's keywords."""
    return Layout(**{name: options.pop(name) for name in ("each", "entry", "student")})
