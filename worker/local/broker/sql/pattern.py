"""Patterns of LIKE: `%` stands for any text, `_` for one character."""

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self


class Wildcard(enum.Enum):
    """What stands for more than itself."""

    ONE = "_"
    ANY = "%"


@dataclass(frozen=True, slots=True)
class Pattern:
    """A pattern taken apart: characters and wildcards."""

    parts: Sequence[str | Wildcard]

    @classmethod
    def parse(cls, text: str, escape: str | None = None) -> Self:
        """Take a pattern apart; what follows the escape character stands for itself.

        Raises:
            ValueError: nothing follows the escape character.
        """
        parts: list[str | Wildcard] = []
        characters = iter(text)
        for character in characters:
            if character == escape:
                following = next(characters, None)
                if following is None:
                    raise ValueError("nothing follows the escape character")
                parts.append(following)
            else:
                parts.append(Wildcard(character) if character in "%_" else character)
        return cls(parts)

    def matches(self, text: str) -> bool:
        """Whether the whole text is of this pattern. Takes at most the product of both lengths."""
        at, part, retry_at, retry_part = 0, 0, 0, -1
        while at < len(text):
            if part < len(self.parts) and self.parts[part] is Wildcard.ANY:
                retry_at, retry_part = at, part
                part += 1
            elif part < len(self.parts) and self.parts[part] in {Wildcard.ONE, text[at]}:
                at, part = at + 1, part + 1
            elif retry_part >= 0:
                retry_at += 1
                at, part = retry_at, retry_part + 1
            else:
                return False
        return all(rest is Wildcard.ANY for rest in self.parts[part:])
