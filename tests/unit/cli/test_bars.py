"""Numbers as bars."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from worker.cli.bars import Bar, Spark


class Ascii(io.StringIO):
    encoding = "ascii"


def drawn(bar: Bar | Spark, width: int, file: io.StringIO | None = None) -> str:
    file = file or io.StringIO()
    Console(file=file, width=width).print(bar)
    return file.getvalue().removesuffix("\n")


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        ([], "     "),
        ([0, 0], "   ▁▁"),
        ([9, 9, 0, 1, 4, 6, 8], "▁▂▅▇█"),
        ([0, 1000, 1], "  ▁█▂"),
    ],
)
def test_the_last_numbers_are_steps_up_to_the_highest_of_them(numbers: list[int], expected: str) -> None:
    assert drawn(Spark(numbers, "green"), 5) == expected


def test_a_terminal_without_blocks_has_other_steps() -> None:
    assert drawn(Spark([0, 4, 8], "green"), 4, Ascii()) == " _=#"
    assert drawn(Bar(1, 2, "green"), 4, Ascii()).isascii()


@pytest.mark.parametrize(("part", "whole", "full"), [(0, 0, 0), (1, 2, 5), (10, 10, 10), (11, 10, 10)])
def test_a_bar_is_as_long_as_its_part_of_the_whole(part: float, whole: float, full: int) -> None:
    assert drawn(Bar(part, whole, "green"), 10).count("━") == full
