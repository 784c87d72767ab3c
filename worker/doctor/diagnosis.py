"""An examination from beginning to end: the settings first, then all that can be looked at with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from worker.doctor.context import open_context
from worker.doctor.environment import examine_environment
from worker.doctor.examination import examine
from worker.doctor.finding import PARTS, Finding

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from worker.doctor.check import Check, Look
    from worker.doctor.context import Lines
    from worker.doctor.finding import Part

_UNWELL = frozenset({"failed", "warning", "unknown"})


async def diagnose(
    environ: Mapping[str, str],
    checks: Sequence[Check],
    tell: Callable[[Check], None],
    *,
    only: Part | None = None,
    lines: Lines | None = None,
) -> list[Finding]:
    """Make the checks, of one part or of all; what was found, in their order.

    Of other parts, those are made that the part needs, and told if they are not well.
    """
    settings, found = examine_environment(environ)
    if settings is None:
        return found + [_not_looked_at(part) for part in PARTS[1:] if only in (None, part)]
    async with open_context(settings, lines) as context:
        found += await examine(context, _wanted(checks, only), tell)
    return [finding for finding in found if only in (None, finding.part) or finding.status in _UNWELL]


def _not_looked_at(part: Part) -> Finding:
    message = "not looked at, because the settings cannot be used"
    return Finding(part, part, "unknown", message, facts={"because": "settings"})


def _wanted(checks: Sequence[Check], only: Part | None) -> list[Check]:
    """The checks of a part, and those that they need."""
    wanted: set[Look] = set()
    for check in reversed(checks):
        if only in (None, check.part) or check.look in wanted:
            wanted |= {check.look, *check.needs}
    return [check for check in checks if check.look in wanted]
