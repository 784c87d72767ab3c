"""The names in a Bicep file, taken from its text: what the parser lets pass and the compiler would not."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.unit.deploy.bicep import Bicep

KEYWORDS = {
    *("param", "var", "resource", "module", "output", "existing", "targetScope", "using"),
    *("for", "in", "if", "true", "false", "null", "string", "int", "bool", "object", "array"),
}
FUNCTIONS = {
    *("concat", "description", "empty", "environment", "guid", "json", "loadTextContent", "minLength"),
    *("maxLength", "minValue", "maxValue", "allowed", "secure", "min", "range", "resourceGroup", "skip"),
    *(
        "split",
        "string",
        "subscription",
        "subscriptionResourceId",
        "take",
        "toLower",
        "union",
        "uniqueString",
    ),
}
INTERPOLATED = re.compile(r"\$\{([^{}]*)\}")
TEXT = re.compile(r"'''.*?'''|'(?:\\.|\$\{[^}]*\}|[^'\\])*'", re.DOTALL)


def words(file: Bicep) -> list[str]:
    """Each word outside of texts and comments that is neither a key nor a property."""
    text = re.sub(r"(?m)(?<![:'\w])//.*$", "", file.text)
    inner = [one for literal in TEXT.findall(text) for one in INTERPOLATED.findall(literal)]
    code = "\n".join([TEXT.sub("''", text), *inner])
    code = re.sub(r"(?<=[{,\n])(\s*)\w+(?=\s*:)", r"\1", code)  # keys
    return re.findall(r"(?<![.\w])[A-Za-z_]\w*", code)


def names_used(file: Bicep) -> set[str]:
    """All names but where they are declared."""
    seen = words(file)
    declared = re.findall(r"(?m)^(?:param|var|output|resource|module) (\w+)", file.text)
    return {word for word in seen if seen.count(word) > declared.count(word)}


def undeclared(file: Bicep) -> set[str]:
    """Names that are no parameter, variable, resource, module, loop's variable or function."""
    parts = ("parameters", "variables", "resources", "modules", "outputs")
    declared = {name for part in parts for name in file.part(part)}
    loops = set(re.findall(r"\bfor (\w+) in\b", file.text))
    return set(words(file)) - declared - loops - KEYWORDS - FUNCTIONS
