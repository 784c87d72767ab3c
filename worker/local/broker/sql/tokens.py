"""The words, names, texts, numbers and signs of a filter."""

import enum
import math
import re
from dataclasses import dataclass
from typing import Final

MOST_CHARACTERS: Final = 1024  # as in Service Bus
_MOST: Final = 2**63 - 1
_TOKEN: Final = re.compile(
    r"""(?P<word>[^\W\d_]\w*)
      | (?P<name>\[(?:[^\]]|\]\])+\](?!\]) | "(?:[^"]|"")+"(?!"))
      | (?P<text>'(?:[^']|'')*'(?!'))
      | (?P<number>(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)
      | (?P<sign><>|!=|<=|>=|[=<>(),.+-])""",
    re.VERBOSE,
)
_BLANK: Final = re.compile(r"\s*")
_UNENDED: Final = {"'": "text", '"': "name", "[": "name"}


class FilterError(ValueError):
    """The filter is wrong; the text says at which character (the first is 1), and how."""

    def __init__(self, position: int, problem: str) -> None:
        super().__init__(f"at character {position}: {problem}")
        self.position = position


class Kind(enum.Enum):
    """What a token is. A name is a property's in brackets or double quotes; a word may be a keyword."""

    WORD = "word"
    NAME = "name"
    TEXT = "text"
    NUMBER = "number"
    SIGN = "sign"
    END = "end"


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of a filter: keywords and signs as written, texts and names without their quotes."""

    kind: Kind
    value: str
    position: int

    def __str__(self) -> str:
        return "the end" if self.kind is Kind.END else repr(self.value)

    def is_word(self, word: str) -> bool:
        """Whether it is this keyword, which is given in capitals."""
        return self.kind is Kind.WORD and self.value.upper() == word

    def is_sign(self, *signs: str) -> bool:
        """Whether it is one of these signs."""
        return self.kind is Kind.SIGN and self.value in signs

    def number(self, *, negative: bool) -> int | float:
        """Return the number: whole ones of 64 bits, others as doubles.

        Raises:
            FilterError: it does not fit.
        """
        whole = self.value.isdecimal()
        value = int(self.value) if whole else float(self.value)
        if (whole and value > _MOST + negative) or not math.isfinite(value):
            raise FilterError(self.position, f"the number {self.value} is too large")
        return -value if negative else value


def tokenize(text: str) -> list[Token]:
    """Return the tokens of a filter; the last is the end.

    Raises:
        FilterError: the filter is too long, or a character belongs to no token.
    """
    if len(text) > MOST_CHARACTERS:
        raise FilterError(MOST_CHARACTERS + 1, f"a filter has at most {MOST_CHARACTERS} characters")
    tokens = []
    cursor = _behind_blank(text, 0)
    while cursor < len(text):
        match = _TOKEN.match(text, cursor)
        if match is None or match.lastgroup is None:
            raise _refusal(text, cursor)
        kind = Kind(match.lastgroup)
        tokens.append(Token(kind, _unquoted(kind, match.group()), cursor + 1))
        cursor = _behind_blank(text, match.end())
    return [*tokens, Token(Kind.END, "", len(text) + 1)]


def _behind_blank(text: str, cursor: int) -> int:
    match = _BLANK.match(text, cursor)
    return match.end() if match else cursor


def _unquoted(kind: Kind, text: str) -> str:
    if kind not in {Kind.TEXT, Kind.NAME}:
        return text
    quote = text[-1]
    return text[1:-1].replace(quote * 2, quote)


def _refusal(text: str, cursor: int) -> FilterError:
    character = text[cursor]
    if character in _UNENDED:
        return FilterError(cursor + 1, f"the {_UNENDED[character]} that begins here has no end")
    return FilterError(cursor + 1, f"{character!r} is not expected in a filter")
