"""The text of a cases file, YAML or JSON, as a document whose parts can be found again."""

from __future__ import annotations

import codecs
import json
import re
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from worker.faults import JobRejected
from worker.places import Path, Place, PlacedError, json_offsets, nearest, shown
from worker.strict_json import decode_json
from worker.strict_yaml import parse_yaml

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MAX_TOLD = 20
_JSON = re.compile(r'\s*(\{\s*["}]|\[)')
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass(frozen=True)
class Problem:
    """What is wrong with a cases file, with the part that is at fault and its place where that is known."""

    message: str
    path: Path = ()
    place: Place | None = None

    def told(self, name: str = "cases file") -> str:
        """The problem in a line that begins as a compiler's does."""
        where = f"{name}:{self.place}" if self.place else name
        return ": ".join(part for part in (where, shown(self.path), self.message) if part)


class InvalidCases(JobRejected):
    """A cases file cannot be used; ``problems`` has all that is wrong with it."""

    def __init__(self, problems: Iterable[Problem], code: str = "invalid_cases") -> None:
        self.problems = tuple(problems)
        first, more = self.problems[0], len(self.problems) - 1
        message = first.told() + (f" (and {more} more)" if more else "")
        super().__init__(code, message, in_job(first.path))

    def told(self, name: str) -> list[str]:
        """The problems in the order of their places, a line each."""
        ordered = sorted(self.problems, key=lambda problem: problem.place or Place(0, 0))
        more = [f"… and {len(ordered) - MAX_TOLD} more"] if len(ordered) > MAX_TOLD else []
        return [problem.told(name) for problem in ordered[:MAX_TOLD]] + more


@dataclass(frozen=True)
class Document:
    """What a cases file says; ``places`` has the parts of YAML, those of JSON are looked for when needed."""

    value: Any
    text: str
    places: Mapping[Path, Place] | None = None

    def problem(self, path: Path, message: str) -> Problem:
        """A problem with a part of it, or with one that is missing."""
        if self.places is not None:
            known = nearest(path, self.places)
            return Problem(message, path, None if known is None else self.places[known])
        offsets = dict(json_offsets(self.text))
        known = nearest(path, offsets)
        return Problem(message, path, None if known is None else Place.at(self.text, offsets[known]))


def read_document(data: bytes) -> Document:
    """Read a cases file as JSON where it begins as an object of JSON does, and as YAML otherwise.

    Raises:
        InvalidCases: it is no text, or neither of the two.
    """
    text = text_of(data)
    if not text.strip():
        raise InvalidCases([Problem("the file is empty")])
    try:
        if _JSON.match(text):
            return Document(_decoded(text), text)
        return Document(*_with_text(text))
    except PlacedError as error:
        raise InvalidCases([Problem(error.message, error.path, error.place)]) from None


def text_of(data: bytes) -> str:
    """The text of a file, without a byte order mark.

    Raises:
        InvalidCases: it is not UTF-8.
    """
    if data.startswith(_UTF_16) or (data[:1] == b"\0") != (data[1:2] == b"\0"):
        raise InvalidCases([Problem("the file is UTF-16: save it as UTF-8")])
    try:
        text = data.removeprefix(codecs.BOM_UTF8).decode()
    except UnicodeDecodeError as error:
        place = Place.at(data[: error.start].decode() + "?", error.start)
        raise InvalidCases([Problem("this is not UTF-8: save the file as UTF-8", (), place)]) from None
    if "\0" in text:
        raise InvalidCases([Problem("the file has NUL bytes: it is no text")])
    return text


def in_job(path: Path) -> str:
    """Where a job has a part of its cases file, as a dotted path."""
    dotted = ".".join(str(part) for part in path)
    return dotted if path[:1] == ("cases",) else f"cases.{dotted}".rstrip(".")


def _with_text(text: str) -> tuple[Any, str, Mapping[Path, Place]]:
    value, places = parse_yaml(text)
    return value, text, places


def _decoded(text: str) -> Any:  # noqa: ANN401 - JSON is what it is
    try:
        return decode_json(text)
    except RecursionError:
        raise PlacedError("the file is nested too deeply") from None
    except json.JSONDecodeError as error:
        place = Place(error.lineno, error.colno)
        raise PlacedError(f"this is no JSON: {error.msg}", place) from None
    except ValueError as error:
        raise _refused(text, str(error)) from None


def _refused(text: str, message: str) -> PlacedError:
    """Well-formed JSON that is refused; a key that is there twice can be found."""
    seen = set()
    with suppress(ValueError, IndexError):  # what comes after the fault has not been read, and may be no JSON
        for path, offset in json_offsets(text):
            if path in seen:
                return PlacedError(message, Place.at(text, offset), path)
            seen.add(path)
    return PlacedError(message)
