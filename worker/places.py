"""Where in a text a part of a document stands, for errors that people can find."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Container, Iterator

Path = tuple[int | str, ...]  # the keys and indices that lead to a part of a document

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[][{}:,]|[^][{}:,"\s]+', re.DOTALL)


@dataclass(frozen=True, order=True)
class Place:
    """A line and a column, both from 1."""

    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.line}:{self.column}"

    @classmethod
    def at(cls, text: str, offset: int) -> Place:
        """The place of a character."""
        return cls(text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset))


class PlacedError(ValueError):
    """A text that cannot be read, and where."""

    def __init__(self, message: str, place: Place | None = None, path: Path = ()) -> None:
        super().__init__(message)
        self.message, self.place, self.path = message, place, path


def shown(path: Path) -> str:
    """A path as people write it.

    >>> shown(("cases", 2, "points"))
    'cases[2].points'
    """
    parts = (f"[{part}]" if isinstance(part, int) else f".{part:.100}" for part in path)
    return "".join(parts).removeprefix(".")


def nearest(path: Path, known: Container[Path]) -> Path | None:
    """The longest beginning of a path that is known: what is missing is where it should have been."""
    return next((path[:end] for end in range(len(path), -1, -1) if path[:end] in known), None)


def json_offsets(text: str) -> Iterator[tuple[Path, int]]:
    """The parts of a well-formed JSON text in its order, each with the offset of its first character.

    A member of an object begins with its key.
    """
    path: list[int | str | None] = []  # None: a key is to come
    for token in _TOKEN.finditer(text):
        word = token[0]
        if word in {"]", "}"}:
            path.pop()
        elif word == ",":
            path[-1] = path[-1] + 1 if isinstance(path[-1], int) else None
        elif word != ":":
            is_key = bool(path) and path[-1] is None
            if is_key:
                path[-1] = json.loads(word)
            if is_key or not path or isinstance(path[-1], int):
                yield tuple(part for part in path if part is not None), token.start()
            if word in {"[", "{"}:
                path.append(0 if word == "[" else None)
