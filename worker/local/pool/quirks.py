"""Ways in which real pools were seen to differ, as switches, so that clients can be tried against each."""

import dataclasses
import json
from dataclasses import dataclass
from enum import StrEnum


class WhenFull(StrEnum):
    """What a pool says when every session is allocated."""

    TOO_MANY_REQUESTS = "429"
    NOT_FOUND = "404"
    ALLOCATING = "500"


@dataclass(frozen=True, slots=True)
class Quirks:
    """All off by default; rates are probabilities from 0 to 1."""

    accepted_status: bool = False
    cut_answers: bool = False
    when_full: WhenFull = WhenFull.TOO_MANY_REQUESTS
    allocation_seconds: float = 0.0
    delete_refused: int | None = None
    wrapped_body: bool = False
    unauthorized_once: bool = False
    unavailable_rate: float = 0.0

    @classmethod
    def from_json(cls, text: str) -> "Quirks":
        """Read quirks from a JSON object of their names.

        Raises:
            ValueError: not a JSON object, an unknown name, or a value out of range.
        """
        values = json.loads(text)
        if not isinstance(values, dict):
            raise ValueError("quirks must be a JSON object")  # noqa: TRY004 - one error for bad input
        unknown = sorted(values.keys() - {field.name for field in dataclasses.fields(cls)})
        if unknown:
            raise ValueError(f"unknown quirks: {', '.join(unknown)}")
        if "when_full" in values:
            values["when_full"] = WhenFull(str(values["when_full"]))
        quirks = cls(**values)
        if quirks.delete_refused not in {None, 405, 501}:
            raise ValueError("delete_refused must be 405 or 501")
        return quirks
