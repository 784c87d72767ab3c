"""A picture of ``jsworker top`` for the documentation: ``python -m tests.bench.top_picture OUT.svg``.

Run it while a worker runs on the local stack, whose state directory is ``.jsworker`` or as given. That of the
documentation was taken half a minute after the beginning of ::

    JSWORKER_INSTANCE=worker-1 jsworker grade --local --max-sessions 4 --batch homework-3 --repeat 3 \\
        --each folder --cases examples/grading/cases.yaml examples/grading/submissions
"""

from __future__ import annotations

import asyncio
import io
import re
from pathlib import Path

import click
from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console

from worker.cli.screen import view
from worker.cli.watch_worker import Target, open_watch

FONTS = re.compile(r"@font-face \{\{.*?\}\}", re.DOTALL)  # they would be fetched from elsewhere


@click.command()
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--state", type=click.Path(path_type=Path), default=Path(".jsworker"), show_default=True)
@click.option("--width", default=100, show_default=True)
@click.option("--height", default=32, show_default=True)
def main(out: Path, state: Path, width: int, height: int) -> None:
    """Take a picture of what top shows now."""
    out.write_text(asyncio.run(_picture(state, width, height)), encoding="utf-8")


async def _picture(state: Path, width: int, height: int) -> str:
    console = Console(file=io.StringIO(), record=True, force_terminal=True, width=width)
    async with open_watch(Target(None, state)) as watch:
        console.print(view(await watch.surrounded(await watch.first()), console, height))
    return console.export_svg(title="jsworker top --local", code_format=FONTS.sub("", CONSOLE_SVG_FORMAT))


if __name__ == "__main__":
    main()
