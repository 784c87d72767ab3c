"""Bicep files as values: what a file would deploy, given values for its parameters.

The compiler is not to be had as a package, so the tests work with a parser and evaluate what these files use
of the language. What only Azure knows (ids, keys, addresses) stays ``Unknown``. The parser does not tell a
name from a text: a text that is a declared name counts as the name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from pycep import BicepParser

if TYPE_CHECKING:
    from collections.abc import Callable

DEPLOY = Path(__file__).parents[3] / "deploy"
INFRA = DEPLOY / "infra"
FILES = sorted(INFRA.rglob("*.bicep"))
Node: TypeAlias = Any  # a part of a parsed file
Value: TypeAlias = Any  # what it comes to: a text, number, list, object, ``None`` or ``Unknown``


@dataclass(frozen=True)
class Unknown:
    """What is known only when it is deployed.

    Attributes:
        what: how the file names it, where it is something of another resource or module.
    """

    what: str = ""


UNKNOWN = Unknown()
FUNCTIONS: dict[str, Callable[..., Value]] = {
    "concat": lambda *lists: list(chain(*lists)),
    "empty": lambda value: not value,
    "json": float,  # of numbers with a point, which the language has no other way to write
    "min": min,
    "range": lambda start, count: list(range(start, start + count)),
    "skip": lambda values, count: values[count:],
    "split": lambda text, separator: text.split(separator),
    "string": str,
    "subscription_resource_id": lambda *names: "/".join(names),
    "take": lambda values, count: values[:count],
    "union": lambda first, second: first | second,
}
OPERATORS: dict[str, Callable[..., Value]] = {
    "divide": lambda dividend, divisor: dividend // divisor,
    "multiply": lambda first, second: first * second,
    "not": lambda value: not value,
}


@dataclass(frozen=True)
class Resource:
    """One that would be deployed, or that is only referred to."""

    symbol: str
    type: str
    version: str
    existing: bool
    config: dict[str, Value]


@dataclass(frozen=True)
class Bicep:
    """A parsed file."""

    path: Path
    parsed: dict[str, dict[str, Node]]

    @property
    def text(self) -> str:
        return self.path.read_text()

    def part(self, name: str) -> dict[str, Node]:
        """Of ``parameters``, ``variables``, ``resources``, ``modules`` or ``outputs``, all by their names."""
        return self.parsed.get(name, {})

    def given(self, values: dict[str, Value]) -> Scope:
        """The names of this file, with these values of parameters in place of their defaults."""
        return Scope(self, dict(values))

    def limits(self, parameter: str) -> tuple[int, int]:
        """The least and the most that an integer may be."""
        found = {one["type"]: one.get("argument") for one in self.part("parameters")[parameter]["decorators"]}
        return found["min_value"], found["max_value"]


@cache
def bicep(name: str) -> Bicep:
    """A file below ``deploy/infra``, by its path without the suffix."""
    path = INFRA / f"{name}.bicep"
    parsed: Node = BicepParser().parse(text=path.read_text())
    return Bicep(path, parsed)


@dataclass
class Scope:
    """Evaluates expressions of a file."""

    file: Bicep
    values: dict[str, Value] = field(default_factory=dict)

    def resources(self) -> list[Resource]:
        """All that the file has, conditions and loops carried out."""
        return [
            Resource(symbol, one["type"], one["api_version"], one["existing"], config)
            for symbol, one in self.file.part("resources").items()
            for config in self._instances(one["config"])
        ]

    def resource(self, symbol: str) -> dict[str, Value]:
        """The configuration of the one that is called so."""
        (found,) = [one.config for one in self.resources() if one.symbol == symbol]
        return found

    def name(self, name: str) -> Value:
        """The value of what is declared."""
        if name in self.values:
            return self.values[name]
        if name in self.file.part("variables"):
            return self.value(self.file.part("variables")[name]["value"])
        if name in self.file.part("resources") or name in self.file.part("modules"):
            return Unknown(name)
        default = self.file.part("parameters").get(name, {}).get("default")
        return UNKNOWN if default is None else self.value(default)

    def value(self, node: Node) -> Value:
        """The value of an expression."""
        match node:
            case {"function": {"type": name, "parameters": parameters}}:
                return self._call(name, [one for one in parameters.values() if one is not None])
            case {"operator": {"type": name, "operands": operands}}:
                return self._operation(name, list(operands.values()))
            case {"loop_type": _}:
                return self._instances(node)
        return self._literal(node)

    def _literal(self, node: Node) -> Value:
        if isinstance(node, dict):
            return {self._key(key.strip("'")): self.value(one) for key, one in node.items()}
        if isinstance(node, list):
            return [self.value(one) for one in node]
        if isinstance(node, str):
            return self.name(node) if self._is_declared(node) else self._text(node)
        return node

    def _instances(self, node: Node) -> list[Value]:
        match node:
            case {"loop_type": {"detail": {"item_name": item, "array_name": array}}, "config": config}:
                inner = [Scope(self.file, {**self.values, item: one}) for one in self.value(array)]
                return [scope.value(config) for scope in inner]
            case {"condition": condition, "config": config}:
                return [self.value(config)] if self.value(condition) else []
        return [self.value(node)]

    def _is_declared(self, name: str) -> bool:
        parts = ("parameters", "variables", "resources", "modules")
        return name in self.values or any(name in self.file.part(part) for part in parts)

    def _key(self, text: str) -> str:
        known = self._text(text)
        return text if isinstance(known, Unknown) else str(known)

    def _text(self, text: str) -> Value:
        """A text with the values of the names in it."""
        values = {name: self.name(name) for name in re.findall(r"\$\{(\w+)\}", text)}
        if any(isinstance(value, Unknown) for value in values.values()):
            return UNKNOWN
        for name, value in values.items():
            text = text.replace(f"${{{name}}}", str(value))
        return UNKNOWN if "${" in text else text

    def _operation(self, name: str, operands: list[Node]) -> Value:
        if name == "conditional":
            condition, yes, no = operands
            return self.value(yes if self.value(condition) else no)
        if name == "property_accessor":
            return self._property(self.value(operands[0]), operands[1])
        return _called(OPERATORS.get(name), [self.value(one) for one in operands])

    def _property(self, value: Value, names: Node) -> Value:
        match names:
            case {"operator": {"operands": {"operand_1": first, "operand_2": rest}}}:
                return self._property(self._property(value, first), rest)
        if isinstance(names, str) and isinstance(value, dict):
            return value.get(names)
        if isinstance(names, str) and isinstance(value, Unknown) and value.what:
            return Unknown(f"{value.what}.{names}")
        return UNKNOWN

    def _call(self, name: str, arguments: list[Node]) -> Value:
        if name == "load_text_content":
            return (self.file.path.parent / arguments[0]).read_text()
        return _called(FUNCTIONS.get(name), [self.value(one) for one in arguments])


def _called(function: Callable[..., Value] | None, known: list[Value]) -> Value:
    if function is None or any(isinstance(one, Unknown) for one in known):
        return UNKNOWN
    return function(*known)
