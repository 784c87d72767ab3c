"""Whose a submission is: the student in the name of a file or folder, and the job's id."""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from dataclasses import dataclass

MAX_ID = 128
_STUDENT = "{student}"
_WILD = {_STUDENT: "(?P<student>.+?)", "*": ".*?"}


@dataclass(frozen=True)
class StudentPattern:
    """What names look like: ``{student}`` is the student, ``*`` anything or nothing, the rest is as it is.

    Each of them takes as little as it can, from the left: ``{student}-*`` ends at the first hyphen.
    """

    text: str
    expression: re.Pattern[str]

    def student(self, name: str) -> str | None:
        """The student in a name; None when the name looks different."""
        match = self.expression.fullmatch(unicodedata.normalize("NFC", name))
        return match["student"] if match else None


def student_pattern(text: str) -> StudentPattern:
    """Read a pattern.

    Raises:
        ValueError: ``{student}`` is not in it once, or nothing parts it from a ``*``.
    """
    first, *rest = re.split(r"(\{student\}|\*+)", unicodedata.normalize("NFC", text))
    wilds, literals = [wild[:1].replace("{", _STUDENT) for wild in rest[::2]], rest[1::2]
    if wilds.count(_STUDENT) != 1:
        raise ValueError(f"{_STUDENT} must be in it once")
    if "" in literals[:-1]:
        raise ValueError(f"something must stand between {_STUDENT} and *")
    parts = [f"{_WILD[wild]}{re.escape(literal)}" for wild, literal in zip(wilds, literals, strict=True)]
    # What has found its end is not tried again, so that no name takes long.
    found = [f"(?>{part})" for part in parts[:-1]]
    return StudentPattern(text, re.compile("".join([re.escape(first), *found, parts[-1]]), re.DOTALL))


def student_of(name: str) -> str:
    """A name as text: composed, so that the same name is the same from any system."""
    return unicodedata.normalize("NFC", os.fsencode(name).decode(errors="replace"))


def job_id(name: str) -> str:
    """A job's id from a file's name; a name that loses letters gets a digest, so that it stays its own.

    >>> job_id("Jürgen's 2nd try")
    'Jurgen-s-2nd-try'
    """
    plain = "".join(c for c in unicodedata.normalize("NFKD", name) if not unicodedata.combining(c))
    lost = any(c.isalnum() and not c.isascii() for c in plain)
    fitting = re.sub(r"\.{2,}", ".", re.sub(r"[^A-Za-z0-9._-]+", "-", plain)).lstrip("._-").rstrip(".-")
    if fitting and len(fitting) <= MAX_ID and not lost:
        return fitting
    tag = hashlib.sha256(os.fsencode(name)).hexdigest()[:8]
    return f"{fitting[: MAX_ID - 9]}-{tag}".lstrip("-")
