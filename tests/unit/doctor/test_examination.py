"""Checks are made in order, in bounded time, and not for a cause that is known already."""

import asyncio
from collections.abc import Iterable
from contextlib import AsyncExitStack

import pytest

from worker.doctor.check import Check
from worker.doctor.context import Context
from worker.doctor.examination import examine
from worker.doctor.finding import Finding
from worker.faults import ConfigurationFault, InfrastructureFault
from worker.settings import WorkerSettings, unusable


async def container(_context: Context) -> list[Finding]:
    return [Finding("container", "storage", "ok", "it is there")]


async def broken_container(_context: Context) -> list[Finding]:
    return [Finding("broken-container", "storage", "failed", "it is not there", "create it")]


async def blob(_context: Context) -> list[Finding]:
    return [Finding("blob", "storage", "ok", "it is written")]


async def lease(_context: Context) -> list[Finding]:
    return [Finding("lease", "storage", "ok", "it is leased")]


async def hangs(_context: Context) -> list[Finding]:
    await asyncio.Event().wait()
    return []


async def refused(_context: Context) -> list[Finding]:
    raise ConfigurationFault("access is refused", "Give it the role")


async def unreachable(_context: Context) -> list[Finding]:
    raise InfrastructureFault("out of reach")


async def misread(_context: Context) -> list[Finding]:
    raise unusable("QUEUE", "is none")


async def defective(_context: Context) -> list[Finding]:
    raise KeyError("name")


@pytest.fixture
def context() -> Context:
    settings = WorkerSettings(pool_endpoint="https://pool.example", max_sessions=1)
    return Context(settings, None, AsyncExitStack())


async def found(context: Context, checks: Iterable[Check]) -> list[tuple[str, str]]:
    return [(finding.check, finding.status) for finding in await examine(context, checks)]


async def test_findings_come_in_the_order_of_the_checks(context: Context) -> None:
    checks = (Check(container, "storage"), Check(lease, "pool"), Check(blob, "storage"))
    assert await found(context, checks) == [("container", "ok"), ("lease", "ok"), ("blob", "ok")]


async def test_a_check_is_not_made_when_one_that_it_needs_failed_nor_any_that_needs_it(
    context: Context,
) -> None:
    checks = (
        Check(broken_container, "storage"),
        Check(blob, "storage", needs=(broken_container,)),
        Check(lease, "storage", needs=(blob,)),
        Check(container, "pool"),
    )
    findings = await examine(context, checks)
    assert [finding.status for finding in findings] == ["failed", "unknown", "unknown", "ok"]
    assert "because the check broken-container failed" in findings[1].message
    assert findings[2].message == findings[1].message
    assert findings[2].facts == {"because": "broken-container"}


async def test_a_check_that_takes_too_long_fails_and_the_next_is_made(context: Context) -> None:
    checks = (Check(hangs, "pool", seconds=0.01), Check(lease, "pool"))
    findings = await examine(context, checks)
    assert (findings[0].status, findings[0].message) == ("failed", "no answer within 0.01 s")
    assert findings[1].status == "ok"


async def test_a_fault_of_a_service_is_what_the_check_found(context: Context) -> None:
    (refusal, outage) = await examine(context, (Check(refused, "pool"), Check(unreachable, "storage")))
    assert (refusal.check, refusal.status) == ("refused", "failed")
    assert (refusal.message, refusal.remedy) == ("access is refused", "Give it the role")
    assert (outage.check, outage.message) == ("unreachable", "out of reach")
    assert outage.remedy


async def test_a_check_that_breaks_hides_nothing_else(context: Context) -> None:
    (broken, other) = await examine(context, (Check(defective, "pool"), Check(lease, "pool")))
    assert (broken.status, broken.message) == ("failed", "the check broke: KeyError: 'name'")
    assert other.status == "ok"


async def test_a_setting_that_turns_out_to_be_unusable_is_no_bug_of_ours(context: Context) -> None:
    (finding,) = await examine(context, (Check(misread, "service-bus"),))
    assert (finding.status, finding.message) == ("failed", "JSWORKER_QUEUE: is none")
    assert finding.remedy
    assert "bug" not in finding.remedy


async def test_each_check_is_told_as_it_begins_and_none_that_is_not_made(context: Context) -> None:
    told: list[str] = []
    checks = (Check(broken_container, "storage"), Check(blob, "storage", needs=(broken_container,)))
    await examine(context, checks, lambda check: told.append(check.id))
    assert told == ["broken-container"]
