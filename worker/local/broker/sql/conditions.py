"""What a filter says of a message, evaluated in three-valued logic: None is "unknown".

Values are compared with their like only: numbers with numbers, texts with texts (with case), truths with
truths. Everything else, and what is missing or null, makes a comparison unknown.
"""

import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from worker.local.broker.properties import Properties
from worker.local.broker.sql.pattern import Pattern

Truth = bool | None

_EQUALITIES: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "=": operator.eq,
    "<>": operator.ne,
    "!=": operator.ne,
}
_SIGNS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    **_EQUALITIES,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
COMPARISONS: Final = tuple(_SIGNS)


class Condition(Protocol):
    """Something that holds for a message or not."""

    def holds(self, properties: Properties) -> Truth:
        """Whether it holds."""


@dataclass(frozen=True, slots=True)
class Constant:
    """A value that stands in the filter."""

    constant: str | float | None

    def value(self, _properties: Properties) -> object:
        """Return it."""
        return self.constant


@dataclass(frozen=True, slots=True)
class Property:
    """A property of the message, by its name in lower case."""

    name: str
    system: bool = False

    def value(self, properties: Properties) -> object:
        """Return its value; None when the message has none."""
        return self._of(properties).get(self.name)

    def is_set(self, properties: Properties) -> bool:
        """Whether the message has it, be it null."""
        return self.name in self._of(properties)

    def _of(self, properties: Properties) -> Mapping[str, object]:
        return properties.system if self.system else properties.user


Operand = Constant | Property


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two values compared."""

    left: Operand
    sign: str
    right: Operand

    def holds(self, properties: Properties) -> Truth:
        """Whether it holds; unknown for values that are not alike."""
        return compare(self.left.value(properties), self.sign, self.right.value(properties))


@dataclass(frozen=True, slots=True)
class Membership:
    """A value that is one of several."""

    operand: Operand
    choices: Sequence[Operand]

    def holds(self, properties: Properties) -> Truth:
        """Whether one is equal; unknown when none is, but one cannot be compared."""
        value = self.operand.value(properties)
        return any_of(compare(value, "=", choice.value(properties)) for choice in self.choices)


@dataclass(frozen=True, slots=True)
class Likeness:
    """A text of a pattern."""

    operand: Operand
    pattern: Pattern

    def holds(self, properties: Properties) -> Truth:
        """Whether it is of the pattern; unknown when it is no text."""
        value = self.operand.value(properties)
        return self.pattern.matches(value) if isinstance(value, str) else None


@dataclass(frozen=True, slots=True)
class IsNull:
    """A property that the message has not, or as null. Never unknown."""

    subject: Property

    def holds(self, properties: Properties) -> Truth:
        """Whether there is no value."""
        return self.subject.value(properties) is None


@dataclass(frozen=True, slots=True)
class Exists:
    """A property that the message has. Never unknown."""

    subject: Property

    def holds(self, properties: Properties) -> Truth:
        """Whether it is there."""
        return self.subject.is_set(properties)


@dataclass(frozen=True, slots=True)
class Not:
    """A condition turned round."""

    condition: Condition

    def holds(self, properties: Properties) -> Truth:
        """Whether the condition does not hold; unknown stays unknown."""
        return negated(self.condition.holds(properties))


@dataclass(frozen=True, slots=True)
class Every:
    """Conditions joined by AND; without any it holds always."""

    conditions: Sequence[Condition]

    def holds(self, properties: Properties) -> Truth:
        """Whether all hold."""
        return negated(any_of(negated(condition.holds(properties)) for condition in self.conditions))


@dataclass(frozen=True, slots=True)
class Either:
    """Conditions joined by OR; without any it never holds."""

    conditions: Sequence[Condition]

    def holds(self, properties: Properties) -> Truth:
        """Whether one holds."""
        return any_of(condition.holds(properties) for condition in self.conditions)


def negated(truth: Truth) -> Truth:
    """Return the opposite; unknown stays unknown."""
    return None if truth is None else not truth


def any_of(truths: Iterable[Truth]) -> Truth:
    """Return whether one is true; unknown when none is, but one is unknown."""
    unknown = False
    for truth in truths:
        if truth:
            return True
        unknown = unknown or truth is None
    return None if unknown else False


def compare(left: object, sign: str, right: object) -> Truth:
    """Compare two values by a sign of `COMPARISONS`; unknown when they are not alike."""
    if isinstance(left, bool) or isinstance(right, bool):
        alike = isinstance(left, bool) and isinstance(right, bool) and sign in _EQUALITIES
        return _EQUALITIES[sign](left, right) if alike else None
    for kind in (str, int | float):
        if isinstance(left, kind) and isinstance(right, kind):
            return _SIGNS[sign](left, right)
    return None
