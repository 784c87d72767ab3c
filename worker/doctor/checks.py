"""All checks, in the order in which they are reported. A module of checks is added by its tuple."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from worker.doctor.check import Check

CHECKS: tuple[Check, ...] = ()
