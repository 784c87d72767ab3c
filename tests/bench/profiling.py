"""What a worker's CPU is spent on, as sampled by ``tests.bench.sampler``."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

from rich.table import Table

if TYPE_CHECKING:
    from pathlib import Path

_SHOWN = 25


def tables(path: Path, cpu_ms: float) -> list[Table]:
    """The worker's CPU a job, by what in the worker asked for it and by the package that was at work."""
    places: Counter[str] = Counter()
    packages: Counter[str] = Counter()
    for place, package, count in json.loads(path.read_text()):
        places[place] += count
        packages[package] += count
    return [_table("for", places, cpu_ms), _table("in package", packages, cpu_ms)]


def _table(title: str, counts: Counter[str], cpu_ms: float) -> Table:
    table = Table(f"CPU {title}", "%", "ms/job")
    for name, count in counts.most_common(_SHOWN):
        share = count / counts.total()
        table.add_row(name, f"{share:.1%}", f"{share * cpu_ms:.2f}")
    return table
