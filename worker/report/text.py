"""Text of others, made safe to look at: what could act or mislead is shown as an escape."""

from __future__ import annotations

import re

_MISLEADING = re.compile(
    "[\x00-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufffe\uffff\ud800-\udfff]"
)


def printable(text: str) -> str:
    """Text with all that a terminal would act upon shown escaped: controls, ANSI, changes of direction."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else _escape(c) for c in text)


def visible(text: str) -> str:
    """As ``printable``, of several lines; line feeds and tabs stay."""
    return "\n".join("\t".join(printable(part) for part in line.split("\t")) for line in text.split("\n"))


def readable(name: str) -> str:
    """A name on one line without controls and changes of direction; the joiners of scripts stay."""
    return _MISLEADING.sub(lambda match: _escape(match[0]), name)


def number(value: float) -> str:
    """A number as people write it, with four decimals at most."""
    return f"{value:.4f}".rstrip("0").rstrip(".")


def seconds(milliseconds: float) -> str:
    """A duration in seconds."""
    return f"{milliseconds / 1000:.2f} s"


def counted(count: int, one: str, many: str | None = None) -> str:
    """So many of something."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def _escape(character: str) -> str:
    return character.encode("unicode_escape", "replace").decode()
