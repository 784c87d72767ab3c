"""Where people are told commands: pages in Markdown, scripts of the deployment, the doctor's remedies."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.azure_commands import shell

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FENCE = re.compile(r"^ *```([\w-]*).*?\n(.*?)^ *``` *$", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"(?<!`)`(azd? [^`\n]+)`(?!`)")
BEFORE_A_COMMAND = re.compile(r"(?<=[:.] )(?=az )|(?<=then )(?=az )")
REMEDIES = "tests/azure_commands/remedies.txt"
SHELLS = frozenset({"", "bash", "sh", "shell", "console"})


@dataclass(frozen=True)
class Told:
    """A command, and where it is told. One in running text is only spoken of, and need not be whole."""

    words: tuple[shell.Word, ...]
    where: str
    whole: bool


def pages(root: Path) -> list[Path]:
    """The pages of a project that tell commands."""
    return [root / "README.md", *sorted((root / "docs").rglob("*.md"))]


def scripts(root: Path) -> list[Path]:
    """The scripts of the deployment."""
    return sorted((root / "deploy" / "cli").glob("*.sh"))


def told(root: Path) -> list[Told]:
    """All calls of az and azd in a project's pages, scripts and remedies."""
    files = [
        command
        for path in [*pages(root), *scripts(root)]
        for command in _of_file(path.read_text(), path.relative_to(root).as_posix(), path.suffix == ".md")
    ]
    remedies = root / REMEDIES
    lines = remedies.read_text().splitlines() if remedies.exists() else []
    return [*files, *(command for number, line in enumerate(lines) for command in of_remedy(line, number))]


def of_remedy(line: str, lines_before: int = 0) -> Iterator[Told]:
    """The calls of a sentence that leads to them: after a colon, a full stop, or `then`."""
    for part in BEFORE_A_COMMAND.split(line):
        yield from _calls(part, REMEDIES, lines_before, whole=True)


def _of_file(text: str, name: str, is_page: bool) -> Iterator[Told]:  # noqa: FBT001 - which kind of file it is
    if not is_page:
        yield from _calls(text, name, 0, whole=True)
        return
    for language, block, line in blocks(text):
        if language in SHELLS:
            yield from _calls(block, name, line, whole=True)
    prose = FENCE.sub(lambda fence: "\n" * fence.group().count("\n"), text)
    for span in SPAN.finditer(prose):
        yield from _calls(span.group(1), name, prose.count("\n", 0, span.start()), whole=False)


def blocks(text: str) -> Iterator[tuple[str, str, int]]:
    """The fenced blocks of a page: language, text, and how many lines stand before the text.

    Of a block that shows a session, with prompts, the text is what was typed.
    """
    for fence in FENCE.finditer(text):
        yield fence.group(1), _typed(fence.group(2)), text.count("\n", 0, fence.start(2))


def _typed(block: str) -> str:
    lines = block.split("\n")
    if not any(line.startswith("$ ") for line in lines):
        return block
    kept, goes_on = [], False
    for line in lines:
        typed = line.removeprefix("$ ") if line.startswith("$ ") or goes_on else ""
        goes_on = typed.endswith("\\")
        kept.append(typed)
    return "\n".join(kept)


def _calls(text: str, name: str, lines_before: int, *, whole: bool) -> Iterator[Told]:
    for command in shell.named(shell.commands(text), "az", "azd"):
        yield Told(command.words, f"{name}:{lines_before + command.line}", whole)
