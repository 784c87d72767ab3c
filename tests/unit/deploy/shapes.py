"""Whether a resource's configuration is one that its type takes.

The schemas in ``schemas/`` are cut down to what these files use; ``{}`` stands for a part that nothing here
sets. A list of values has those that are published; ``open`` are others that the service is known to take.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.unit.deploy.bicep import Unknown, Value

if TYPE_CHECKING:
    from collections.abc import Iterator

SCHEMAS = Path(__file__).parent / "schemas"
OF_BICEP = {"name", "parent", "scope", "dependsOn"}  # what every resource may have
TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "integer": int,
    "boolean": bool,
    "number": (int, float),
    "object": dict,
    "array": list,
}


@cache
def schemas() -> dict[str, dict[str, Any]]:
    """All of them, by ``type@version``."""
    return {
        key: schema
        for path in sorted(SCHEMAS.glob("Microsoft.*.json"))
        for key, schema in json.loads(path.read_text())["types"].items()
    }


def problems(config: dict[str, Any], schema: dict[str, Any]) -> list[str]:
    """All that is wrong with a resource's configuration."""
    return list(_of({key: one for key, one in config.items() if key not in OF_BICEP}, schema, ""))


def _of(value: Value, schema: dict[str, Any], where: str) -> Iterator[str]:
    if isinstance(value, Unknown) or value is None:
        return
    if schema.get("readOnly"):
        yield f"{where}: can only be read"
    elif not schema:
        yield f"{where}: is not in the schema that is kept here; put it there from the published one"
    elif "oneOf" in schema:
        yield from min((list(_of(value, one, where)) for one in schema["oneOf"]), key=len)
    elif schema["type"] != "any":
        yield from _typed(value, schema, where)


def _typed(value: Value, schema: dict[str, Any], where: str) -> Iterator[str]:
    kind = TYPES[schema["type"]]
    if not isinstance(value, kind) or (isinstance(value, bool) and schema["type"] != "boolean"):
        yield f"{where}: {value!r} is no {schema['type']}"
    elif isinstance(value, list):
        for one in value:
            yield from _of(one, schema["items"], f"{where}[]")
    elif isinstance(value, dict):
        yield from _properties(value, schema, where)
    elif "enum" in schema and value not in [*schema["enum"], *schema.get("open", [])]:
        yield f"{where}: {value!r} is none of {schema['enum']}"


def _properties(value: dict[str, Any], schema: dict[str, Any], where: str) -> Iterator[str]:
    known, others = schema.get("properties", {}), schema.get("additionalProperties")
    for name in schema.get("required", []):
        if name not in value:
            yield f"{where}.{name}: is missing"
    for name, one in value.items():
        if name not in known and others is None:
            yield f"{where}.{name}: there is no such property"
        else:
            yield from _of(one, known.get(name, others), f"{where}.{name}")
