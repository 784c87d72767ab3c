"""Makes checks: each within its time, none of them twice for one cause."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from worker.doctor.check import Check, Look, id_of
from worker.doctor.finding import Finding
from worker.faults import ConfigurationFault, ServiceFault
from worker.settings import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from worker.doctor.context import Context

    Tell = Callable[[Check], None]

_UNUSABLE = frozenset({"failed", "unknown"})


@dataclass(frozen=True)
class _Made:
    """What came of a check."""

    check: Check
    findings: list[Finding]

    @property
    def is_well(self) -> bool:
        return all(finding.status not in _UNUSABLE for finding in self.findings)


async def examine(
    context: Context, checks: Iterable[Check], tell: Tell = lambda _check: None
) -> list[Finding]:
    """Make all checks and return what they found, in the order of the checks.

    The parts are looked at beside each other, the checks of a part one after another.

    Args:
        context: what the checks are given.
        checks: none stands before one that it needs.
        tell: hears of each check as it begins.
    """
    tasks: dict[Look, asyncio.Task[_Made]] = {}
    latest: dict[str, asyncio.Task[_Made]] = {}
    async with asyncio.TaskGroup() as group:
        for check in checks:
            needed = [tasks[need] for need in check.needs]
            before = [latest[check.part]] if check.part in latest else []
            made = group.create_task(_made(check, context, needed, before, tell))
            tasks[check.look] = latest[check.part] = made
    return [finding for task in tasks.values() for finding in task.result().findings]


async def _made(
    check: Check,
    context: Context,
    needed: list[asyncio.Task[_Made]],
    before: list[asyncio.Task[_Made]],
    tell: Tell,
) -> _Made:
    """Make a check, once those before it are made and if those that it needs are well."""
    await asyncio.gather(*before, *needed)
    missing = [task.result() for task in needed if not task.result().is_well]
    if missing:
        return _Made(check, [_not_made(check, missing[0])])
    tell(check)
    return _Made(check, await _found(check, context))


def _not_made(check: Check, cause: _Made) -> Finding:
    """That a check was not made, and which one failed at the beginning of it all."""
    has_failed = any(finding.status == "failed" for finding in cause.findings)
    inherited = [finding.facts["because"] for finding in cause.findings if "because" in finding.facts]
    because = inherited[0] if inherited and not has_failed else id_of(cause.check.look)
    verb = "failed" if has_failed or inherited else "could not be made"
    message = f"not looked at, because the check {because} {verb}"
    return Finding(check.id, check.part, "unknown", message, facts={"because": because})


async def _found(check: Check, context: Context) -> list[Finding]:
    """What a check found; that it failed or took too long is a finding, too."""
    try:
        async with asyncio.timeout(check.seconds):
            return await check.look(context)
    except TimeoutError:
        message, remedy = (
            f"no answer within {check.seconds:g} s",
            "Look at what stands before it, and try again",
        )
    except ServiceFault as fault:
        remedy = fault.remedy if isinstance(fault, ConfigurationFault) else "Try again: it may pass"
        message = str(fault).removesuffix(f". {remedy}")
    except SettingsError as error:
        message, remedy = str(error).splitlines()[-1].strip(), "Correct it: docs/settings.md says what it is"
    except Exception as error:  # noqa: BLE001 - a check that breaks must not hide what the others found
        message, remedy = f"the check broke: {type(error).__name__}: {error}", "Report it: it is a bug"
    return [Finding(check.id, check.part, "failed", message, remedy)]
