"""YAML from outside: the part of it that says what JSON says, in which no value can be taken for another.

What YAML 1.1 and 1.2 read differently (``yes``, ``010``, ``12:30``, dates) is refused, to be quoted.
Aliases are taken, as long as they do not multiply a text beyond all bounds; tags are not.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import Any

import yaml

from worker.places import Path, Place, PlacedError
from worker.strict_json import MAX_DEPTH

MAX_ALIASED = 4 << 20  # characters that aliases may add; a part counts as 16 beside its text
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_RESOLVER = yaml.resolver.Resolver()
_STRING = "tag:yaml.org,2002:str"
_NULL, _TRUE, _FALSE = (
    {"", "~", "null", "Null", "NULL"},
    {"true", "True", "TRUE"},
    {"false", "False", "FALSE"},
)
_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][-+]?\d+)?", re.ASCII)
_NUMBER_TO_SOME = re.compile(r"[-+]?(\d+|0o[0-7]+|(\.\d+|\d+(\.\d*)?)([eE][-+]?\d+)?)", re.ASCII)
_ODD = re.compile(
    f"{yaml.reader.Reader.NON_PRINTABLE.pattern}|[\x85\u2028\u2029\ufeff]"
)  # to some, line ends
_AMBIGUOUS = ("bool", "int", "float", "timestamp")


@dataclass(frozen=True)
class _Built:
    """A part of the document, and what it costs to have it once more."""

    value: Any
    weight: int


@dataclass
class _Open:
    """A list or mapping that is being read; ``key`` is the one whose value comes next."""

    value: Any
    path: Path
    anchor: str | None
    key: str | None = None
    weight: int = 16


def parse_yaml(text: str) -> tuple[Any, dict[Path, Place]]:
    """The document of a text, and where each part of it stands; a member of a mapping, where its key does.

    Raises:
        PlacedError: it is no YAML, or not of the kind that is taken.
    """
    odd = _ODD.search(text)
    if odd:
        message = (
            f"the character U+{ord(odd[0]):04X} cannot stand in YAML: write it escaped, in double quotes"
        )
        raise PlacedError(message, Place.at(text, odd.start()))
    builder = _Builder()
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        raise _misread(text, error) from None
    return builder.document, builder.places


@dataclass
class _Builder:
    """Builds a document from events, without recursion: how deep it goes is for the text to say."""

    document: Any = None
    places: dict[Path, Place] = field(default_factory=dict)
    _open: list[_Open] = field(default_factory=list)
    _anchors: dict[str, _Built | None] = field(default_factory=dict)
    _aliased: int = 0

    def take(self, event: yaml.Event) -> None:
        """Build on."""
        match event:
            case yaml.ScalarEvent() if self._awaits_key:
                self._name(event)
            case yaml.ScalarEvent():
                self._place(event)
                built = _Built(_scalar(event, self._path), 16 + len(event.value))
                self._add(built, event.anchor)
            case yaml.AliasEvent():
                self._place(event)
                self._add(self._again(event), None)
            case yaml.CollectionStartEvent():
                self._begin(event)
            case yaml.CollectionEndEvent():
                ended = self._open.pop()
                self._add(_Built(ended.value, ended.weight), ended.anchor)
            case yaml.DocumentStartEvent() if self.places:
                raise _fault("a second document begins here: there is one in a file", event)

    @property
    def _awaits_key(self) -> bool:
        return bool(self._open) and isinstance(self._open[-1].value, dict) and self._open[-1].key is None

    @property
    def _path(self) -> Path:
        if not self._open:
            return ()
        top = self._open[-1]
        return (*top.path, len(top.value) if isinstance(top.value, list) else top.key or "")

    def _name(self, event: yaml.ScalarEvent) -> None:
        top = self._open[-1]
        if event.value in top.value:
            raise _fault(f"the key {event.value!r:.100} is there twice", event, (*top.path, event.value))
        top.key = event.value
        self._place(event)

    def _place(self, event: yaml.Event) -> None:
        self.places.setdefault(self._path, _start(event))

    def _begin(self, event: yaml.CollectionStartEvent) -> None:
        if self._awaits_key:
            raise _fault("a key is text", event, self._path)
        if event.tag is not None:
            raise _fault("tags are not taken", event, self._path)
        if len(self._open) == MAX_DEPTH - 1:
            raise _fault("this is nested too deeply", event, self._path)
        self._place(event)
        value: Any = {} if isinstance(event, yaml.MappingStartEvent) else []
        if event.anchor:
            self._anchors[event.anchor] = None
        self._open.append(_Open(value, self._path, event.anchor))

    def _again(self, event: yaml.AliasEvent) -> _Built:
        built = self._anchors.get(event.anchor or "")
        if self._awaits_key:
            raise _fault("a key is text, not an alias", event, self._path)
        if built is None:
            known = event.anchor in self._anchors
            why = "refers to what it stands in" if known else "refers to nothing before it"
            raise _fault(f"*{event.anchor:.50} {why}", event, self._path)
        self._aliased += built.weight
        if self._aliased > MAX_ALIASED:
            raise _fault("the aliases up to here multiply the file beyond all bounds", event, self._path)
        return built

    def _add(self, built: _Built, anchor: str | None) -> None:
        if anchor:
            self._anchors[anchor] = built
        if not self._open:
            self.document = built.value
            return
        top = self._open[-1]
        top.weight += built.weight
        if isinstance(top.value, list):
            top.value.append(built.value)
        else:
            top.value[top.key] = built.value
            top.key = None


def _scalar(event: yaml.ScalarEvent, path: Path) -> Any:  # noqa: ANN401 - null, a truth value, a number or text
    text: str = event.value
    if event.tag in {_STRING, "!"} or (event.tag is None and not event.implicit[0]):
        return text
    if event.tag is not None:
        raise _fault("tags are not taken: write text in quotes, and all else as JSON does", event, path)
    if text in _NULL:
        return None
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    if _NUMBER.fullmatch(text):
        return _number(event, path)
    if _is_ambiguous(text):
        raise _fault(f"{text:.50} is text to some and not to others: write it in quotes", event, path)
    return text


def _number(event: yaml.ScalarEvent, path: Path) -> float:
    try:
        number = int(event.value) if event.value.lstrip("-").isdigit() else float(event.value)
    except ValueError:  # Python refuses thousands of digits
        number = math.inf
    if not math.isfinite(number):
        raise _fault(f"the number {event.value:.40} is too large", event, path)
    return number


def _is_ambiguous(text: str) -> bool:
    """Whether YAML 1.1 or 1.2 takes a word for something else than text."""
    tag: str = _RESOLVER.resolve(yaml.ScalarNode, text, (True, False))  # type: ignore[no-untyped-call] # PyYAML's
    return tag.rpartition(":")[2] in _AMBIGUOUS or _NUMBER_TO_SOME.fullmatch(text) is not None


def _fault(message: str, event: yaml.Event, path: Path = ()) -> PlacedError:
    return PlacedError(message, _start(event), path)


def _start(event: yaml.Event) -> Place:
    mark = event.start_mark
    return Place(mark.line + 1, mark.column + 1) if mark else Place(1, 1)


def _misread(text: str, error: yaml.MarkedYAMLError) -> PlacedError:
    lines = text.splitlines()
    marks = [mark for mark in (error.problem_mark, error.context_mark) if mark and mark.line < len(lines)]
    place = Place(marks[0].line + 1, marks[0].column + 1) if marks else Place(1, 1)
    tab = re.match(r" *\t", lines[place.line - 1]) if lines else None
    if tab:
        return PlacedError("a tab: YAML is indented by spaces alone", Place(place.line, tab.end()))
    parts = [part for part in (error.context, error.problem) if part]
    return PlacedError(f"this is no YAML: {', '.join(parts)}", place)
