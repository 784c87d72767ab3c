"""Whether an event is one that a route takes."""

from __future__ import annotations

import subprocess
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from worker.faults import InfrastructureFault, JobRejected
from worker.filling import Unfilled, value_of
from worker.pattern import Undecided, found
from worker.routes import regex_in

if TYPE_CHECKING:
    from worker.events import Event
    from worker.routes import Match


def matches(match: Match, event: Event) -> bool:
    """Whether all that is asked for holds; blocks while a regular expression is looked for.

    Raises:
        JobRejected: ``route_undecided``: a pattern takes too long on this event.
        InfrastructureFault: the machine gave it no time.
    """
    texts = (("type", match.type, event.type), ("source", match.source, event.source),
             ("subject", match.subject, event.subject))  # fmt: skip
    asked = [(name, pattern, text) for name, pattern, text in texts if pattern is not None]
    asked.sort(key=lambda each: regex_in(each[1]) is not None)  # what costs a process comes last
    return (
        all(text is not None for _, _, text in asked)
        and all(_is_one_of(expression, wanted, event.data) for expression, wanted in match.data.items())
        and all(_fits(name, pattern, text or "") for name, pattern, text in asked)
    )


def blocks(match: Match) -> bool:
    """Whether ``matches`` may take long."""
    patterns = filter(None, (match.type, match.source, match.subject))
    return any(regex_in(pattern) is not None for pattern in patterns)


def _fits(name: str, pattern: str, text: str) -> bool:
    regex = regex_in(pattern)
    if regex is None:
        return fnmatchcase(text, pattern)
    try:
        return found(regex, text)
    except Undecided:
        message = f"the pattern {pattern:.100} takes too long on this event's {name}: write it simpler"
        raise JobRejected("route_undecided", message, f"match.{name}") from None
    except subprocess.TimeoutExpired:
        raise InfrastructureFault("a pattern of the routes could not be looked for in time") from None


def _is_one_of(expression: str, wanted: Any, data: Any) -> bool:  # noqa: ANN401 - any JSON
    """An expression that cannot be applied to the data has no value there."""
    try:
        value = value_of(expression, data)
    except Unfilled:
        return False
    return any(_is_same(each, value) for each in (wanted if isinstance(wanted, tuple) else (wanted,)))


def _is_same(wanted: object, value: object) -> bool:
    """As JSON has it: true is no number."""
    return isinstance(wanted, bool) == isinstance(value, bool) and wanted == value
