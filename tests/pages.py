"""The documentation as tests see it: its pages, their blocks, and what is said of each block.

A comment on the line before a block, which readers of the page do not see, says what becomes of it:

``<!-- run -->``
    It is run, in the order of the page. Lines between ``run`` and the end of the comment are run before it.
``<!-- run, if there is PROGRAM -->``
    The same, on machines that have the program.
``<!-- not run: REASON -->``
    It is not; that its commands and options exist is checked all the same.
``<!-- file: NAME -->``
    It is written to that file, for the blocks after it.
``<!-- no block of this page is run: REASON -->``
    Anywhere in a page: so it is with all of its blocks of which nothing else is said.
"""

from __future__ import annotations

import re
import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted(ROOT.glob("docs/*.md")), *sorted(ROOT.glob("examples/*/README.md"))]
COMMANDS = {"bash", "console"}
_COMMENT = r"(?:^<!-- *(?P<mark>(?:run|not run|file)\b(?:(?!-->).)*?)\s*-->\n)?"
_FENCE = r"^(?P<fence>```+)(?P<language>\w*)[^\n]*\n(?P<text>.*?)^(?P=fence)$"
_BLOCK = re.compile(_COMMENT + _FENCE, re.DOTALL | re.MULTILINE)
_PAGE = re.compile(r"^<!-- no block of this page is run: (.+?) -->$", re.MULTILINE)
_BETWEEN = {"|", "||", "&", "&&", ";", "(", ")", "do", "then"}
_ENDS = _BETWEEN | {">", ">>", "<", "2>", ">&"}


@dataclass(frozen=True)
class Block:
    """A fenced block of a page, and what is said of it (nothing, perhaps)."""

    page: Path
    line: int
    language: str
    text: str
    mark: str

    @property
    def place(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def is_told(self) -> bool:
        """Whether something is said of its being run."""
        return re.match(r"run\b|not run: \w+", self.mark) is not None

    @property
    def is_run(self) -> bool:
        wanted = re.match(r"run, if there is (\S+)", self.mark)
        return re.match(r"run\b", self.mark) is not None and (not wanted or bool(shutil.which(wanted[1])))

    @property
    def file(self) -> str | None:
        """What it is written to."""
        return self.mark.partition(":")[2].strip() if self.mark.startswith("file:") else None

    @property
    def before(self) -> str:
        """What is run before it, unseen."""
        return self.mark.partition("\n")[2] if self.is_run else ""

    @property
    def exchanges(self) -> list[tuple[str, list[str]]]:
        """The commands of a console, each with the lines that it is shown to print."""
        found: list[tuple[str, list[str]]] = []
        for line in self.text.splitlines():
            if line.startswith("$ "):
                found.append((line[2:], []))
            elif found and line.strip() not in {"", "…"}:
                found[-1][1].append(line)
        return found

    @property
    def script(self) -> str:
        """What it has a shell do."""
        if self.language == "console":
            return "\n".join(command for command, _ in self.exchanges)
        return self.text


def blocks(page: Path) -> list[Block]:
    """All fenced blocks of a page."""
    text = page.read_text("utf-8")
    whole = _PAGE.search(text)
    unsaid = f"not run: {whole[1]}" if whole else ""
    return [
        Block(
            page,
            text.count("\n", 0, found.start("fence")) + 1,
            found["language"],
            found["text"],
            found["mark"] or unsaid,
        )
        for found in _BLOCK.finditer(text)
    ]


def command_lines(script: str) -> Iterator[list[str]]:
    """The arguments of each call of jsworker in a script."""
    for line in script.replace("\\\n", " ").splitlines():
        words = _words(line)
        for index, word in enumerate(words):
            begins = index == 0 or words[index - 1] in _BETWEEN or re.match(r"\w+=", words[index - 1])
            if begins and word.rpartition("/")[2] == "jsworker":
                rest = words[index + 1 :]
                yield rest[: next((at for at, each in enumerate(rest) if each in _ENDS), len(rest))]


def code_spans(page: Path) -> list[str]:
    """The code within the text of a page, blocks aside."""
    text = _BLOCK.sub("", page.read_text("utf-8"))
    return [" ".join(span.split()) for span in re.findall(r"(?<!`)`([^`]+)`(?!`)", text)]


def _words(line: str) -> list[str]:
    lexer = shlex.shlex(line.replace('"$(', " ( ").replace(')"', " ) "), posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    try:
        return list(lexer)
    except ValueError:  # a quotation that goes on: none of ours
        return []
