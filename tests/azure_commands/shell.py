"""The commands of a piece of shell, found wherever the shell would find them, without running it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

BEFORE_A_COMMAND = frozenset({"if", "then", "else", "elif", "while", "until", "do", "!", "{", "time", "$"})
ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
SEPARATORS = "\n;|&("


@dataclass(frozen=True)
class Word:
    """What the shell would pass on; `literal` when nothing in it is expanded."""

    text: str
    literal: bool = True


@dataclass(frozen=True)
class Command:
    """A command and the line on which it begins, the first being 1."""

    words: tuple[Word, ...]
    line: int


def commands(text: str) -> list[Command]:
    """All simple commands, those in substitutions among them; never fails, whatever the text is."""
    reader = _Reader(text)
    while reader.at < len(text):
        reader.list_of_commands(closed_by="")
        reader.at += 1
    return sorted(reader.found, key=lambda command: command.line)


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.found: list[Command] = []
        self.here_documents: list[str] = []

    def list_of_commands(self, closed_by: str) -> None:
        """Read on until one of the characters, which is left, or the end."""
        words: list[Word] = []
        line = self.line()
        while self.at < len(self.text) and (char := self.text[self.at]) not in (closed_by or ")"):
            if char in SEPARATORS:
                self.keep(words, line)
                words, line = [], self.line()
                self.separator(char)
            elif self.blank(char) or (char in "<>" and self.redirection(words)):
                continue
            else:
                line = line if words else self.line()
                words.append(self.word())
        self.keep(words, line)

    def separator(self, char: str) -> None:
        self.at += 1
        if char == "\n":
            for mark in self.here_documents:
                end = re.compile(rf"^\t*{re.escape(mark)}$", re.MULTILINE).search(self.text, self.at)
                self.at = end.end() if end else len(self.text)
            self.here_documents.clear()

    def blank(self, char: str) -> bool:
        """Whether there were blanks, a continued line or a comment, which are read over."""
        if char in " \t\r":
            self.at += 1
        elif self.text.startswith("\\\n", self.at):
            self.at += 2
        elif char == "#":
            end = self.text.find("\n", self.at)
            self.at = end if end >= 0 else len(self.text)
        else:
            return False
        return True

    def redirection(self, words: list[Word]) -> bool:
        """Read over one, its number and its target; a here-document's text follows on the next line."""
        operator = self.match(r"<<<|<<-?|>>|[<>]&?")
        if words and words[-1].text.isdigit() and self.text[self.at - len(operator) - 1].isdigit():
            words.pop()
        if self.text.startswith("(", self.at):  # a process substitution is a word by itself
            self.at += 1
            self.substitution()
            return True
        self.match(r"[ \t]*")
        target = self.word()
        if operator in {"<<", "<<-"}:
            self.here_documents.append(target.text)
        return True

    def word(self) -> Word:
        start, parts, literal = self.at, [], True
        while self.at < len(self.text) and self.text[self.at] not in " \t\r\n;|&()<>":
            part, plain = self.part()
            parts.append(part)
            literal = literal and plain
        if self.at == start:
            self.at += 1
        return Word("".join(parts), literal)

    def part(self) -> tuple[str, bool]:
        """One piece of a word, and whether it stands for itself."""
        char = self.text[self.at]
        self.at += 1
        if char == "'":
            return self.until("'"), True
        if char == '"':
            return self.quoted()
        if char == "\\":
            self.at += 1
            return self.text[self.at - 1 : self.at].replace("\n", ""), True
        if char == "$":
            return self.expansion(), False
        return char, True

    def quoted(self) -> tuple[str, bool]:
        parts, literal = [], True
        while self.at < len(self.text) and self.text[self.at] != '"':
            char = self.text[self.at]
            self.at += 1
            if char == "\\":
                self.at += 1
                char = self.text[self.at - 1 : self.at].replace("\n", "")
            elif char == "$":
                char, literal = self.expansion(), False
            parts.append(char)
        self.at += 1
        return "".join(parts), literal

    def expansion(self) -> str:
        """What follows a dollar, as it is written; commands in it are found too."""
        if self.text.startswith("((", self.at):
            return f"${self.until('))')}))"
        if self.text.startswith("(", self.at):
            self.at += 1
            return f"$({self.substitution()})"
        if self.text.startswith("{", self.at):
            return "$" + self.parameter()
        return "$" + self.match(r"\w+|[@*#?$!-]")

    def substitution(self) -> str:
        start = self.at
        self.list_of_commands(closed_by=")")
        self.at += 1
        return self.text[start : self.at - 1]

    def parameter(self) -> str:
        """One in braces; its default may have commands."""
        start = self.at
        while self.at < len(self.text) and self.text[self.at] != "}":
            self.part()
        self.at += 1
        return self.text[start : self.at]

    def until(self, mark: str) -> str:
        end = self.text.find(mark, self.at)
        end = end if end >= 0 else len(self.text)
        start, self.at = self.at, end + len(mark)
        return self.text[start:end]

    def match(self, pattern: str) -> str:
        found = re.compile(pattern).match(self.text, self.at)
        text = found.group() if found else ""
        self.at += len(text)
        return text

    def line(self) -> int:
        return self.text.count("\n", 0, self.at) + 1

    def keep(self, words: list[Word], line: int) -> None:
        while words and (words[0].text in BEFORE_A_COMMAND or ASSIGNMENT.match(words[0].text)):
            words = words[1:]
        if words:
            self.found.append(Command(tuple(words), line))


def named(found: list[Command], *names: str) -> Iterator[Command]:
    """Those commands that call one of the programs named."""
    return (command for command in found if command.words[0].text in names)
