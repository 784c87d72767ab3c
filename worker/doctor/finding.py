"""What a check found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

Part = Literal["settings", "sign-in", "service-bus", "storage", "pool", "clock"]
Status = Literal["ok", "info", "warning", "failed", "unknown"]
PARTS: tuple[Part, ...] = ("settings", "sign-in", "service-bus", "storage", "pool", "clock")
WORST_FIRST: tuple[Status, ...] = ("failed", "warning", "unknown", "info", "ok")


@dataclass(frozen=True)
class Finding:
    """What one check found; a check may have several.

    Attributes:
        check: stable id, in kebab-case: of the check, or of what it looked at in particular.
        part: what was looked at.
        status: ``ok``; ``info`` is worth knowing; ``warning`` works, but not as it should; ``failed`` does
            not work; ``unknown`` was not looked at, and the message says why.
        message: a sentence, without secrets.
        remedy: what mends it, best a command; None where there is nothing to do.
        facts: what was measured or read, for programs; JSON, without secrets, units in the names.
    """

    check: str
    part: Part
    status: Status
    message: str
    remedy: str | None = None
    facts: Mapping[str, object] = field(default_factory=dict)
