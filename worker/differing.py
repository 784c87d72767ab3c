"""Where two texts part, in a few lines that can be read."""

from __future__ import annotations

import difflib
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_CHARS = 2000
LINE_CHARS = 120
CONTEXT, WINDOW = 2, 8


def in_lines(expected: str, actual: str) -> str | None:
    """The lines around the first that differ: ``-`` was expected, ``+`` came; None for equal texts."""
    if expected == actual:
        return None
    return _around(expected.split("\n"), actual.split("\n"))


def in_bytes(expected: bytes, actual: bytes) -> str | None:
    """As ``in_lines``, with line ends and all else that cannot be seen as escapes."""
    if expected == actual:
        return None
    lines = [
        data.decode("utf-8", "backslashreplace").splitlines(keepends=True) for data in (expected, actual)
    ]
    wanted, got = ([json.dumps(line, ensure_ascii=False) for line in text] for text in lines)
    if wanted == got:
        return "the output's bytes are not what is expected: it is not valid UTF-8"
    return _around(wanted, got)


def shortened(text: str, limit: int = 200) -> str:
    """The beginning of a text."""
    return text if len(text) <= limit else text[:limit] + "…"


def _around(expected: list[str], actual: list[str]) -> str:
    first = _first_different(expected, actual)
    column = _first_different("".join(expected[first : first + 1]), "".join(actual[first : first + 1]))
    wanted, got = (
        [
            _cut(line, column if at == first else 0)
            for at, line in enumerate(
                lines[max(0, first - CONTEXT) : first + WINDOW], max(0, first - CONTEXT)
            )
        ]
        for lines in (expected, actual)
    )
    body = list(difflib.unified_diff(wanted, got, lineterm="", n=CONTEXT))[3:]
    return shortened("\n".join([f"line {first + 1} (- expected, + output):", *body]), MAX_CHARS)


def _first_different(first: Sequence[str], second: Sequence[str]) -> int:
    pairs = zip(first, second, strict=False)
    return next((at for at, (a, b) in enumerate(pairs) if a != b), min(len(first), len(second)))


def _cut(line: str, column: int) -> str:
    """The part of a line around a column."""
    start = column - LINE_CHARS // 2 if column > LINE_CHARS * 3 // 4 else 0
    before, after = "…" if start else "", "…" if start + LINE_CHARS < len(line) else ""
    return f"{before}{line[start : start + LINE_CHARS]}{after}"
