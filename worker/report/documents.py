"""Results as the documents they are, for programs."""

from __future__ import annotations

import json
from typing import Any


class JsonLines:
    """One document a line, in ASCII, so that no reader takes U+2028 for a line end."""

    def begin(self) -> str:
        """Nothing."""
        return ""

    def result(self, result: dict[str, Any], _number: int) -> str:
        """The document on a line."""
        return json.dumps(result, separators=(",", ":")) + "\n"

    def missing(self, _job_id: str) -> str:
        """Nothing: there is no document."""
        return ""

    def end(self, _number: int) -> tuple[str, ...]:
        """Nothing."""
        return ()


class JsonArray:
    """All documents as one array."""

    def begin(self) -> str:
        """The opening bracket."""
        return "["

    def result(self, result: dict[str, Any], number: int) -> str:
        """The document, after a comma but for the first."""
        return (",\n" if number else "\n") + json.dumps(result, separators=(",", ":"))

    def missing(self, _job_id: str) -> str:
        """Nothing: there is no document."""
        return ""

    def end(self, number: int) -> tuple[str, ...]:
        """The closing bracket."""
        return ("\n]\n" if number else "]\n",)
