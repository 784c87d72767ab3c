"""A row of numbers as a row of bars, one line high."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.segment import Segment
from rich.style import Style

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console, ConsoleOptions, RenderResult

_BARS, _PLAIN = "▁▂▃▄▅▆▇█", "_.:-=+*#"


class Spark:
    """The last of some numbers, as many as there are columns; the highest is a full bar."""

    def __init__(self, numbers: Sequence[int], style: str = "") -> None:
        self._numbers, self._style = numbers, style

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw them, the last at the right."""
        del console
        shown = self._numbers[-options.max_width :]
        bars, highest = _PLAIN if options.ascii_only else _BARS, max([*shown, 1])
        steps = len(bars) - 1
        text = "".join(bars[-(-number * steps // highest)] for number in shown)
        yield Segment(text.rjust(options.max_width), Style.parse(self._style))
        yield Segment.line()
