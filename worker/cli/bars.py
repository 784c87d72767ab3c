"""Numbers as bars, each one line high and as wide as there is room."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.progress_bar import ProgressBar
from rich.segment import Segment
from rich.style import Style

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console, ConsoleOptions, RenderResult

_STEPS, _PLAIN_STEPS = "▁▂▃▄▅▆▇█", "_.:-=+*#"


class Bar:
    """A part of a whole."""

    def __init__(self, part: float, whole: float, style: str) -> None:
        self._part, self._whole, self._style = part, max(whole, 1), style

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw it, and end the line, which rich's own does not."""
        del console, options
        yield ProgressBar(self._whole, self._part, complete_style=self._style, finished_style=self._style)
        yield Segment.line()


class Spark:
    """The last of some numbers, as many as there are columns; the highest is a full step."""

    def __init__(self, numbers: Sequence[int], style: str) -> None:
        self._numbers, self._style = numbers, style

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw them, the last at the right."""
        del console
        shown = self._numbers[-options.max_width :]
        steps, highest = _PLAIN_STEPS if options.ascii_only else _STEPS, max([*shown, 1])
        text = "".join(steps[-(-number * (len(steps) - 1) // highest)] for number in shown)
        yield Segment(text.rjust(options.max_width), Style.parse(self._style))
        yield Segment.line()
