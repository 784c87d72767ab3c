"""What commands share that can use the local stack, which the worker's image is without."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

import click

ABSENT = (
    "there is no local stack in this installation (the worker's image is without). Leave --local out and "
    "give the settings of Azure, or install jsworker[local] with pip"
)
STATE = click.option(
    "--state",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(".jsworker"),
    show_default=True,
    help="Where the local stack keeps its state.",
)


def sessions_by_default() -> int:
    """One a processor, at least two: limits are wall time, which programs must not take from each other."""
    return max(2, len(os.sched_getaffinity(0)))


def is_there() -> bool:
    """Whether this installation has a local stack."""
    return find_spec("worker.local") is not None
