"""What tests count for the summary of a test run, added up over the processes that run them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Protocol, cast

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping

Tallies = dict[str, Counter[str]]
_TALLIES = pytest.StashKey[Tallies]()


class Node(Protocol):
    """A process of a parallel run that has ended, and what it has told."""

    config: pytest.Config
    workeroutput: dict[str, object]


def tally(config: pytest.Config, what: str) -> Counter[str]:
    """The counter of this name; the summary shows it."""
    return config.stash.setdefault(_TALLIES, {}).setdefault(what, Counter())


def send_tallies(config: pytest.Config) -> None:
    """Tell the process that runs the others, where there is one."""
    output = getattr(config, "workeroutput", None)
    if output is not None:
        output["tallies"] = {what: dict(counts) for what, counts in config.stash.get(_TALLIES, {}).items()}


def take_tallies(config: pytest.Config, node: Node) -> None:
    """Add what another process has counted."""
    told = cast("Mapping[str, Mapping[str, int]]", node.workeroutput.get("tallies", {}))
    for what, counts in told.items():
        tally(config, what).update(counts)


def lines(config: pytest.Config) -> list[str]:
    """The summary, a line for each counter."""
    return [
        f"{what}: {', '.join(f'{count} {name}' for name, count in counts.items())}"
        for what, counts in config.stash.get(_TALLIES, {}).items()
    ]
