"""Templates of jobs: JSON in which ``${expression}`` stands for values that are known later.

An expression is JMESPath over the values, whose names the template's owner knows (``event.data.url``). A text
that is one expression takes the value as it is; within other text a value is written as text, lists and
objects as JSON. ``$${`` stands for ``${``. A value that is missing, or null, is a mistake: a template that
wants a default says so (``${event.data.size || `0`}``).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jmespath
from jmespath.exceptions import JMESPathError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MOST_EXPRESSION = 1000  # characters; JMESPath parses by recursion
MOST_NESTING = 50
MOST_BYTES = 1 << 20  # of what all expressions of one template put in
_PLACE = re.compile(r"\$?\$\{((?:[^{}`'\"]|`[^`]*`|'[^']*'|\"[^\"]*\"|\{[^{}]*\})*)\}|\$?\$\{")
Path = tuple[int | str, ...]


@dataclass(frozen=True)
class Wrong:
    """A place of a template that cannot be used, and why."""

    path: Path
    message: str


class Unfilled(Exception):
    """A template cannot be filled in; ``field`` is the place, dotted.

    ``code`` is ``template_invalid``, ``template_value_missing`` or ``template_too_large``.
    """

    def __init__(self, code: str, message: str, path: Path) -> None:
        self.code, self.message, self.field = code, message, ".".join(map(str, path))
        super().__init__(f"{self.field}: {message}" if self.field else message)


def mistakes(template: Any) -> list[Wrong]:  # noqa: ANN401 - walks any JSON
    """What is wrong with a template whatever its values may be."""
    try:
        return [
            Wrong(path, message)
            for path, text in _texts(template, ())
            for match in _PLACE.finditer(text)
            if (message := _mistake(match))
        ]
    except Unfilled as error:
        return [Wrong((), error.message)]


def expressions(template: Any) -> Iterator[tuple[Path, str]]:  # noqa: ANN401 - walks any JSON
    """The expressions of a template, with the place of each."""
    for path, text in _texts(template, ()):
        for match in _PLACE.finditer(text):
            if not match[0].startswith("$$") and match[1] is not None:
                yield path, match[1].strip()


def value_of(expression: str, values: Mapping[str, Any], path: Path = ()) -> Any:  # noqa: ANN401 - any JSON
    """The value of one expression; None where there is none.

    Raises:
        Unfilled: it is no expression, or cannot be applied to these values.
    """
    try:
        if len(expression) > MOST_EXPRESSION:
            raise Unfilled("template_invalid", f"an expression has over {MOST_EXPRESSION} characters", path)
        return jmespath.search(expression, values)
    except (JMESPathError, RecursionError, ValueError, TypeError, ArithmeticError) as error:
        raise Unfilled("template_invalid", f"${{{expression:.100}}}: {_said(error)}", path) from None


def filled(template: Any, values: Mapping[str, Any]) -> Any:  # noqa: ANN401 - any JSON
    """The template with the values in place of its expressions.

    Raises:
        Unfilled: an expression is wrong, its value is missing, or what comes of it is too large.
    """
    return _Filling(values).of(template, ())


def no_expression(text: str) -> str | None:
    """Why a text is no expression; None when it is one."""
    if len(text) > MOST_EXPRESSION:
        return f"an expression has over {MOST_EXPRESSION} characters"
    try:
        jmespath.compile(text)
    except (JMESPathError, RecursionError, ValueError) as error:
        return f"{text:.100}: {_said(error)}"
    return None


class _Filling:
    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values, self._left = values, MOST_BYTES

    def of(self, part: Any, path: Path) -> Any:  # noqa: ANN401 - any JSON
        if len(path) > MOST_NESTING:
            raise Unfilled("template_invalid", f"is nested over {MOST_NESTING} deep", path[:3])
        if isinstance(part, str):
            return self._text(part, path)
        if isinstance(part, dict):
            return {key: self.of(value, (*path, key)) for key, value in part.items()}
        if isinstance(part, list | tuple):
            return [self.of(value, (*path, index)) for index, value in enumerate(part)]
        return part

    def _text(self, text: str, path: Path) -> Any:  # noqa: ANN401 - any JSON
        whole = _PLACE.fullmatch(text)
        if whole and not whole[0].startswith("$$") and whole[1] is not None:
            return self._value(whole, path)
        return _PLACE.sub(lambda match: self._inserted(match, path), text)

    def _inserted(self, match: re.Match[str], path: Path) -> str:
        if match[0].startswith("$$"):
            return match[0][1:]
        value = self._value(match, path)
        return value if isinstance(value, str) else _json(value)

    def _value(self, match: re.Match[str], path: Path) -> Any:  # noqa: ANN401 - any JSON
        if message := _mistake(match):
            raise Unfilled("template_invalid", message, path)
        value = value_of(match[1].strip(), self._values, path)
        if value is None:
            raise Unfilled("template_value_missing", f"there is no value for {match[0]:.100}", path)
        self._left -= _size(value, path)
        if self._left < 0:
            raise Unfilled("template_too_large", f"its values have over {MOST_BYTES} characters", path)
        return value


def _mistake(match: re.Match[str]) -> str | None:
    if match[0].startswith("$$"):
        return None
    if match[1] is None:
        return "'${' has no '}' after it; write '$${' for the characters themselves"
    if not match[1].strip():
        return "'${}' has no expression"
    return no_expression(match[1].strip())


def _texts(part: Any, path: Path) -> Iterator[tuple[Path, str]]:  # noqa: ANN401 - walks any JSON
    if len(path) > MOST_NESTING:
        raise Unfilled("template_invalid", f"is nested over {MOST_NESTING} deep", path[:3])
    if isinstance(part, str):
        yield path, part
    elif isinstance(part, dict):
        for key, value in part.items():
            yield from _texts(value, (*path, key))
    elif isinstance(part, list | tuple):
        for index, value in enumerate(part):
            yield from _texts(value, (*path, index))


def _said(error: Exception) -> str:
    return str(error).split("\n", 1)[0].rstrip(":") or "is nested too deep"


def _size(value: object, path: Path) -> int:
    """How long a value is as JSON, which not all are: ``&name`` has a value too, and ``to_number('nan')``."""
    try:
        return len(json.dumps(value, allow_nan=False))
    except (TypeError, ValueError, RecursionError):
        raise Unfilled("template_invalid", "an expression's value is not JSON", path) from None


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
