"""One check: the function that makes it, and what must be well before it says anything."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from worker.doctor.context import Context
from worker.doctor.finding import Finding

if TYPE_CHECKING:
    from worker.doctor.finding import Part

Look = Callable[[Context], Awaitable[list[Finding]]]
SECONDS = 15.0


@dataclass(frozen=True)
class Check:
    """A check as it is made.

    Attributes:
        look: makes it; its faults (``ServiceFault``) are findings, too. Its name is the check's id.
        part: what it looks at. The checks of a part are made one after another, in their order.
        needs: checks that stand before it and without which it would only tell their cause once more: if one
            of them failed or was not made, this one is ``unknown``.
        seconds: how long it may take.
    """

    look: Look
    part: Part
    needs: tuple[Look, ...] = ()
    seconds: float = SECONDS

    @property
    def id(self) -> str:
        """Its name, in kebab-case."""
        return id_of(self.look)


def id_of(look: Look) -> str:
    """The id of the check that a function makes."""
    name: str = look.__name__
    return name.replace("_", "-")
