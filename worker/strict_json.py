"""JSON from outside: strict about form, and never the end of who reads it."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from typing import Any, NoReturn

from worker.faults import JobRejected

MAX_DEPTH = 100  # of a document; what is nested deeper than 255 levels could not be written into a result
_LONE_SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")


def parse_json(body: bytes, what: str = "message") -> Any:  # noqa: ANN401 - JSON is what it is
    """Decode UTF-8 JSON strictly: no duplicate keys, nor numbers that are not finite, nor depth without end.

    Lone surrogates become U+FFFD, so that all of the document can be written again.

    Raises:
        JobRejected: ``invalid_json``, with what is wrong and where.
    """
    try:
        return decode_json(body.decode())
    except RecursionError:
        raise JobRejected("invalid_json", f"the {what} is nested too deeply") from None
    except ValueError as error:
        raise JobRejected("invalid_json", f"the {what} is not valid JSON: {error}") from None


def decode_json(text: str) -> Any:  # noqa: ANN401 - as above
    """Decode JSON as strictly; raises ``ValueError`` or ``RecursionError``."""
    document = json.loads(
        text,
        object_pairs_hook=_unique_keys,
        parse_constant=_refuse_constant,
        parse_float=_finite,
    )
    _check_depth(document, MAX_DEPTH)
    return _mend(document) if _LONE_SURROGATE_ESCAPE.search(text) else document


def to_bytes(text: str) -> bytes:
    """UTF-8 as Node writes it: a lone surrogate becomes U+FFFD."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        ((key, _),) = Counter(key for key, _ in pairs).most_common(1)
        raise ValueError(f"the key {key!r:.100} is there twice")
    return document


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"the number {text:.40} is too large")
    return number


def _check_depth(value: object, left: int) -> None:
    if not left:
        raise RecursionError
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _check_depth(inner, left - 1)


def _mend(value: Any) -> Any:  # noqa: ANN401 - walks any JSON
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_mend(item) for item in value]
    if isinstance(value, dict):
        return {_mend(key): _mend(item) for key, item in value.items()}
    return value
