"""The reference of a document, from the JSON Schema that `jsworker schema` prints."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from worker.cli.schema import schema

TITLES = {
    "job": "Job",
    "result": "Result",
    "cases": "Cases file",
    "routes": "Routes file",
    "schedules": "Schedules file",
}
MORE = {
    "job": "[Jobs and results](../jobs.md) tells what they are for",
    "result": "[Jobs and results](../jobs.md#a-result) tells what they are for",
    "cases": "[Writing cases](../writing-cases.md) and [Cases](../cases.md) tell what they are for",
    "routes": "[Routes](../routes.md) tells what they are for",
    "schedules": "[Schedules](../schedules.md) tells what they are for",
}
_BOUNDS = (
    ("minimum", "maximum", ""),
    ("minLength", "maxLength", " characters"),
    ("minItems", "maxItems", ""),
)
Schema = dict[str, Any]


@dataclass(frozen=True)
class Description:
    """What a docstring says of a model, and of its fields."""

    text: str
    fields: dict[str, str]


def model_page(name: str) -> str:
    """The page of a document: its own fields first, then those of what it is made of."""
    document = schema(name)
    strict = "" if name == "result" else " Fields that are not here are refused."
    head = (
        f"# {TITLES[name]}\n\nAll fields, as in the JSON Schema that `jsworker schema {name}` prints. "
        f"{MORE[name]}.{strict}\n"
    )
    parts = document.get("$defs", {}).items()
    tables = [f"\n## {title}\n\n{_table(part)}" for title, part in parts if part.get("properties")]
    return head + _table(document) + "".join(tables)


def described(docstring: str) -> Description:
    """Take apart a docstring with a section of attributes."""
    text, _, attributes = docstring.partition("\n\nAttributes:\n")
    fields: dict[str, str] = {}
    for line in attributes.splitlines():
        if found := re.match(r" {4}(\w+): (.*)", line):
            fields[found[1]] = found[2]
        elif fields and line.strip():
            fields[[*fields][-1]] += " " + line.strip()
    return Description(text, fields)


def kind(part: Schema) -> str:
    """What a value may be, in words; bounds with it."""
    if "$ref" in part:
        name = part["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if choices := part.get("anyOf") or part.get("oneOf"):
        return " or ".join(dict.fromkeys(kind(choice) for choice in choices if choice.get("type") != "null"))
    if values := part.get("enum") or ([part["const"]] if "const" in part else []):
        return ", ".join(_literal(value) for value in values)
    return _type(part)


def _table(part: Schema) -> str:
    told = described(part.get("description", ""))
    required = part.get("required", [])
    rows = [
        f"| `{name}` | {kind(field)} | {_default(field, name in required)} | {told.fields.get(name, '')} |"
        for name, field in part.get("properties", {}).items()
    ]
    head = "| field | is | default | |\n|---|---|---|---|"
    return "\n".join(["", told.text, "", head, *rows, ""])


def _type(part: Schema) -> str:
    names = part.get("type", "any value")
    told = " or ".join(names) if isinstance(names, list) else "list" if names == "array" else str(names)
    bounds = _bounds(part)
    told += f" ({', '.join(bounds)})" if bounds else ""
    of = part.get("items") or part.get("additionalProperties")
    return f"{told} of {kind(of)}" if isinstance(of, dict) and of else told


def _bounds(part: Schema) -> list[str]:
    ranges = [_range(part.get(low), part.get(high), unit) for low, high, unit in _BOUNDS]
    more = [f"more than {part['exclusiveMinimum']}"] if "exclusiveMinimum" in part else []
    pattern = [f"`{part['pattern']}`"] if "pattern" in part else []
    return [told for told in ranges if told] + more + pattern


def _range(low: float | None, high: float | None, unit: str) -> str:
    if low is None and high is None:
        return ""
    if high is None:
        return f"{low:,} or more{unit}"
    return f"at most {high:,}{unit}" if low is None else f"{low:,} to {high:,}{unit}"


def _default(field: Schema, is_required: bool) -> str:  # noqa: FBT001 - one row of a table
    if is_required:
        return "required"
    value = field.get("default")
    is_empty = value in (None, [], {}) or (isinstance(value, dict) and not any(value.values()))
    return "" if is_empty else _literal(value)


def _literal(value: object) -> str:
    return f"`{value}`" if isinstance(value, str) else f"`{json.dumps(value)}`"
