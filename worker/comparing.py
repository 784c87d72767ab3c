"""Comparators: whether a program's output is what a case expects and, if not, where the two part."""

from __future__ import annotations

import json
import math
import re
import warnings
from collections import Counter
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, NoReturn

from worker.differing import in_bytes, in_lines, shortened
from worker.pattern import found
from worker.strict_json import to_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from worker.case import Compare

DEFAULT_TOLERANCE = 1e-9
MAX_PATTERN_CHARS = 4000
MAX_LINES_SHOWN = 10
_NUMBER = re.compile(
    r"[+-]?(?:(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?|inf(?:inity)?|nan)", re.IGNORECASE | re.ASCII
)


def difference(compare: Compare, expected: str, output: bytes, tolerance: float | None = None) -> str | None:
    """Where the output is not what was expected, in a few lines to read; None where it is.

    Args:
        compare: the comparator.
        expected: what is wanted; with ``regex``, a pattern to find.
        output: what the program wrote. What is not UTF-8 counts as U+FFFD, but with ``exact``.
        tolerance: absolute or relative, of ``numbers``.

    Raises:
        Undecided: the pattern takes too long on this output.
    """
    if compare == "exact":
        return in_bytes(to_bytes(expected), output)
    actual = output.decode("utf-8", "replace")
    if compare == "numbers":
        return _numbers(expected, actual, DEFAULT_TOLERANCE if tolerance is None else tolerance)
    return _COMPARATORS[compare](expected, actual)


def fault_of(compare: Compare, expected: str) -> str | None:
    """Why nothing can be compared with an expectation; None where it can."""
    if compare == "json" and (fault := _json_fault(expected)):
        return f"is not JSON: {fault}"
    return _pattern_fault(expected) if compare == "regex" else None


def trimmed(text: str) -> str:
    r"""Text with ``\n`` for line ends, without space at the end of lines or blank lines at its end."""
    lines = _with_line_feeds(text).split("\n")
    return "\n".join(line.rstrip() for line in lines).rstrip("\n")


def _trimmed(expected: str, actual: str) -> str | None:
    return in_lines(trimmed(expected), trimmed(actual))


def _tokens(expected: str, actual: str) -> str | None:
    return _by_token(expected, actual, str.__eq__)


def _numbers(expected: str, actual: str, tolerance: float) -> str | None:
    return _by_token(expected, actual, lambda wanted, got: wanted == got or _close(wanted, got, tolerance))


def _by_token(expected: str, actual: str, same: Callable[[str, str], bool]) -> str | None:
    pairs = zip_longest(_split(expected), _split(actual))
    for number, (wanted, got) in enumerate(pairs, 1):
        if wanted is None or got is None or not same(wanted, got):
            return f"token {number}: expected {_token(wanted)}, got {_token(got)}"
    return None


def _token(text: str | None) -> str:
    return "the end" if text is None else shortened(text)


def _split(text: str) -> Iterator[str]:
    return (match[0] for match in re.finditer(r"\S+", text))


def _close(wanted: str, got: str, tolerance: float) -> bool:
    if not (_NUMBER.fullmatch(wanted) and _NUMBER.fullmatch(got)):
        return False
    first, second = float(wanted), float(got)
    return math.isclose(first, second, rel_tol=tolerance, abs_tol=tolerance) or (
        math.isnan(first) and math.isnan(second)
    )


def _json(expected: str, actual: str) -> str | None:
    fault = _json_fault(actual)
    return f"the output is not JSON: {fault}" if fault else _in_json(_parsed(expected), _parsed(actual))


def _in_json(expected: object, actual: object) -> str | None:
    """A loop and no recursion: what is nested deeply is no reason to fail."""
    pairs: list[tuple[str, Any, Any]] = [("$", expected, actual)]
    while pairs:
        path, wanted, got = pairs.pop()
        if isinstance(wanted, dict) and isinstance(got, dict) and wanted.keys() == got.keys():
            pairs += [(f"{path}.{key}"[:200], wanted[key], got[key]) for key in reversed(wanted)]
        elif isinstance(wanted, list) and isinstance(got, list) and len(wanted) == len(got):
            pairs += [(f"{path}[{at}]"[:200], wanted[at], got[at]) for at in reversed(range(len(wanted)))]
        elif not _is_same_scalar(wanted, got):
            return f"{path}: expected {_shown(wanted)}, got {_shown(got)}"
    return None


def _is_same_scalar(wanted: object, got: object) -> bool:
    """Python takes true for 1, which JSON does not."""
    if isinstance(wanted, (dict, list)) or isinstance(wanted, bool) != isinstance(got, bool):
        return False
    return wanted == got


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return shortened(
            f"an object with the keys {', '.join(sorted(value))}" if value else "an empty object"
        )
    if isinstance(value, list):
        return f"an array of {len(value)}"
    return shortened(json.dumps(value, ensure_ascii=False))


def _parsed(text: str) -> Any:  # noqa: ANN401 - JSON is what it is
    return json.loads(text, parse_constant=_refuse)


def _json_fault(text: str) -> str | None:
    try:
        _parsed(text)
    except RecursionError:
        return "it is nested too deeply"
    except ValueError as error:
        return str(error)
    return None


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _unordered_lines(expected: str, actual: str) -> str | None:
    wanted, got = (Counter(trimmed(text).split("\n")) for text in (expected, actual))
    if wanted == got:
        return None
    lines = [
        f"{sign}{shortened(line)}" for sign, line in (*_each("-", wanted - got), *_each("+", got - wanted))
    ]
    return "\n".join(["lines that are missing (-) or too many (+):", *lines])


def _each(sign: str, lines: Counter[str]) -> list[tuple[str, str]]:
    return [(sign, line) for line in sorted(lines)[:MAX_LINES_SHOWN]]


def _contains(expected: str, actual: str) -> str | None:
    wanted = trimmed(expected)
    return (
        None if wanted in trimmed(actual) else f"the output does not contain {shortened(json.dumps(wanted))}"
    )


def _regex(expected: str, actual: str) -> str | None:
    if found(expected, _with_line_feeds(actual)):
        return None
    return f"the output does not match {shortened(expected)}"


def _with_line_feeds(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _pattern_fault(pattern: str) -> str | None:
    if len(pattern) > MAX_PATTERN_CHARS:
        return f"a pattern has at most {MAX_PATTERN_CHARS} characters"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        return f"is no regular expression: {error}"
    return None


_COMPARATORS: dict[str, Callable[[str, str], str | None]] = {
    "trimmed": _trimmed,
    "tokens": _tokens,
    "json": _json,
    "unordered_lines": _unordered_lines,
    "contains": _contains,
    "regex": _regex,
}
