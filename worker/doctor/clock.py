"""The check of this machine's clock against those of the services, by the ``Date`` of their answers."""

from __future__ import annotations

import time
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

import httpx

from worker.doctor.check import Check
from worker.doctor.finding import Finding
from worker.doctor.hosts import pool_host, storage_host
from worker.doctor.namespace_host import namespace_host
from worker.doctor.storage_account import account_url

if TYPE_CHECKING:
    from worker.doctor.context import Context

SECONDS = 10.0
RESOLUTION_SECONDS = 0.5  # the header has whole seconds, cut off: half a second late on average
_REMEDY = (
    "Set the clock: sudo timedatectl set-ntp true (on a virtual machine: see to its host's time service)"
)


async def clock_against_storage(context: Context) -> list[Finding]:
    """Compare the clock with that of the storage account."""
    return [await _compared(context, "clock-against-storage", "storage", account_url(context.settings))]


async def clock_against_pool(context: Context) -> list[Finding]:
    """Compare the clock with that of the session pool."""
    return [
        await _compared(context, "clock-against-pool", "the session pool", context.settings.pool_endpoint)
    ]


async def clock_against_service_bus(context: Context) -> list[Finding]:
    """Compare the clock with that of Service Bus, by its management API."""
    url = context.settings.management_url
    return [await _compared(context, "clock-against-service-bus", "Service Bus", url)]


async def _compared(context: Context, check: str, service: str, url: str) -> Finding:
    skew = await _skew(url)
    if skew is None:
        return Finding(check, "clock", "info", f"{service} does not tell the time")
    facts, way = {"skew_seconds": round(skew, 1)}, "ahead of" if skew > 0 else "behind"
    if abs(skew) <= context.lines.skew_seconds:
        return Finding(check, "clock", "ok", f"the clock agrees with that of {service}", facts=facts)
    message = f"the clock is {abs(skew):.0f} s {way} that of {service}"
    if abs(skew) <= context.lines.skew_failure_seconds:
        message += ": locks and scheduled messages are misjudged by as much"
        return Finding(check, "clock", "warning", message, _REMEDY, facts)
    message += ": tokens and signatures are refused, and sign-in fails"
    return Finding(check, "clock", "failed", message, _REMEDY, facts)


async def _skew(url: str) -> float | None:
    """By how many seconds this clock is ahead; asked without signing in, which the answer need not allow."""
    try:
        async with httpx.AsyncClient(timeout=SECONDS) as client:
            begin = time.time()
            async with client.stream("GET", url) as answer:  # whose body may be anything
                middle = (begin + time.time()) / 2
        told = parsedate_to_datetime(answer.headers["Date"]).timestamp()
    except (httpx.HTTPError, httpx.InvalidURL, KeyError, ValueError, OverflowError):
        return None
    return middle - told - RESOLUTION_SECONDS


CHECKS = (
    Check(clock_against_service_bus, "clock", needs=(namespace_host,), seconds=30),
    Check(clock_against_storage, "clock", needs=(storage_host,), seconds=30),
    Check(clock_against_pool, "clock", needs=(pool_host,), seconds=30),
)
