"""One thing that is wrong, and what the doctor is to say of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.system.doctor.stack import Hurt

if TYPE_CHECKING:
    from worker.doctor.finding import Part, Status


@dataclass(frozen=True)
class Ill:
    """One thing that is wrong.

    Attributes:
        check: what finds it, alone.
        says: words of the message.
        mends: words of the remedy.
    """

    part: Part
    check: str
    status: Status
    says: str
    mends: str
    hurt: Hurt


def having(**settings: str | None) -> Hurt:
    """Settings, by their names without the prefix, that are other than they should be."""
    return Hurt(settings={f"JSWORKER_{name}": value for name, value in settings.items()})
