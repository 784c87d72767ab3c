"""What a worker's CPU is spent on, from a profile of cProfile.

The figures are shares: under the profiler everything takes about twice as long.
"""

from __future__ import annotations

import pstats
import re
from collections import defaultdict
from typing import TYPE_CHECKING

from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

Function = tuple[str, int, str]
_CALLS = (
    "receive_messages",
    "complete_message",
    "download_blob",
    "upload_blob",
    "append_block",
    "get_blob_client",
    "AsyncClient.request",
)
_SHOWN = 25


class Profile:
    """The functions of a profile, without those that imports are made of."""

    def __init__(self, path: Path) -> None:
        stats = pstats.Stats(str(path)).stats  # type: ignore[attr-defined] # untyped, as old as Python
        self._functions: dict[Function, tuple[int, float, float]] = {
            function: (calls, own, inclusive)
            for function, (_, calls, own, inclusive, _) in stats.items()
            if not _is_import(function) and not _is_waiting(function)
        }
        self.seconds = sum(own for _, own, _ in self._functions.values())

    def by_package(self) -> Iterable[tuple[str, float]]:
        """Own time of each package, the dearest first."""
        totals: defaultdict[str, float] = defaultdict(float)
        for (file, _, name), (_, own, _) in self._functions.items():
            totals[_package(file, name)] += own
        return sorted(totals.items(), key=lambda entry: -entry[1])

    def by_function(self, pattern: str) -> list[tuple[str, int, float]]:
        """Calls and inclusive time of the functions of files that match, the dearest first."""
        found = [
            (f"{_short(file)}:{name}", calls, inclusive)
            for (file, _, name), (calls, _, inclusive) in self._functions.items()
            if re.search(pattern, file) and not name.startswith("<")
        ]
        return sorted(found, key=lambda entry: -entry[2])


def tables(path: Path, jobs: int) -> list[Table]:
    """The shares by package, and the worker's own functions with all that they call."""
    profile = Profile(path)
    packages = Table("package", "own time %", "ms/job (profiled)")
    for name, own in list(profile.by_package())[:_SHOWN]:
        packages.add_row(name, f"{own / profile.seconds:.1%}", f"{own / jobs * 1000:.2f}")
    functions = Table("function, with all it calls", "calls/job", "%", "ms/job (profiled)")
    entries = profile.by_function(r"/(worker|tests)/")[:_SHOWN] + [
        entry for entry in profile.by_function("azure|httpx") if entry[0].rpartition(":")[2] in _CALLS
    ]
    for name, calls, inclusive in entries:
        share = f"{inclusive / profile.seconds:.1%}"
        functions.add_row(name, f"{calls / jobs:.1f}", share, f"{inclusive / jobs * 1000:.2f}")
    return [packages, functions]


def _is_import(function: Function) -> bool:
    file, _, name = function
    return "importlib" in file or name in {"<module>", "<built-in method marshal.loads>", "__build_class__"}


def _is_waiting(function: Function) -> bool:
    return "epoll" in function[2] or "select.poll" in function[2]


def _package(file: str, name: str) -> str:
    if file == "~":
        return f"C: {name}" if "socket" in name or "ssl" in name else "C: other"
    _, found, inside = file.rpartition("site-packages/")
    if found:
        parts = inside.split("/")
        return ".".join(parts[:2]) if parts[0] == "azure" else parts[0].removesuffix(".py")
    if "/worker/" in file or "/tests/" in file:
        return "worker"
    return "python: " + re.sub(r".*/python3[^/]*/", "", file).partition("/")[0]


def _short(file: str) -> str:
    return re.sub(r".*/(site-packages/|(?=(worker|tests)/))", "", file)
