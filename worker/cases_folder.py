"""A folder of cases: ``name.in`` is what the program reads, ``name.out`` what it should write."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

MAX_TOLD = 20
NAMES = ("cases.yaml", "cases.yml", "cases.json")  # what else is said of the cases, in whichever is there


class CasesError(Exception):
    """Cases cannot be used; ``lines`` say why and what to do, one for each problem."""

    def __init__(self, *lines: str) -> None:
        super().__init__("\n".join(["the cases cannot be used:", *lines] if len(lines) > 1 else lines))
        self.lines = lines


@dataclass(frozen=True)
class Pair:
    """The two files of a case, by their names."""

    name: str

    @property
    def stdin(self) -> str:
        """The file of what the program reads."""
        return f"{self.name}.in"

    @property
    def stdout(self) -> str:
        """The file of what it should write."""
        return f"{self.name}.out"


def pairs_in(folder: Path) -> list[Pair]:
    """The pairs of a folder, in the order in which people count: 2 comes before 10.

    Raises:
        CasesError: there is none, or a file lacks the other.
    """
    names = {path.name for path in folder.iterdir() if not path.name.startswith(".")}
    stems = {
        suffix: {name.removesuffix(suffix) for name in names if name.endswith(suffix)}
        for suffix in (".in", ".out")
    }
    lone = [f"{stem}.in has no {stem}.out beside it" for stem in stems[".in"] - stems[".out"]]
    lone += [f"{stem}.out has no {stem}.in beside it" for stem in stems[".out"] - stems[".in"]]
    if lone:
        raise CasesError(*(f"{folder}: {line}" for line in _shortened(sorted(lone, key=_natural))))
    if not stems[".in"]:
        raise CasesError(
            f"{folder} has no cases: they are pairs of files, name.in and name.out{_hint(folder)}"
        )
    return [Pair(stem) for stem in sorted(stems[".in"], key=_natural)]


def settings_in(folder: Path) -> str | None:
    """The name of a folder's cases file.

    Raises:
        CasesError: there are several.
    """
    found = [name for name in NAMES if (folder / name).exists()]
    if len(found) > 1:
        raise CasesError(f"{folder}: {found[0]} and {found[1]} are both there: keep one of them")
    return found[0] if found else None


def _hint(folder: Path) -> str:
    name = settings_in(folder)
    return f" (to use {folder / name} alone, name the file)" if name else ""


def _shortened(lines: list[str]) -> list[str]:
    more = len(lines) - MAX_TOLD
    return [*lines[:MAX_TOLD], *([f"… and {more} more"] if more > 0 else [])]


def _natural(name: str) -> list[tuple[bool, int, str]]:
    """Digits count by the number that they are, and come before letters."""
    parts = re.findall(r"[0-9]{1,4000}|[^0-9]+", name)
    return [(False, int(part), part) if part[0] in "0123456789" else (True, 0, part) for part in parts]
