"""Waiting in hand: calls that a service refuses for now are repeated while the message's lock is kept."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, TypeVar

import structlog

from worker.clock import now

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

log = structlog.get_logger()
T = TypeVar("T")
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 15.0


async def with_patience(call: Callable[[], Awaitable[T]], seconds: float, *faults: type[Exception]) -> T:
    """Repeat a call while it raises one of the faults, with growing pauses and jitter.

    Raises:
        Exception: the last fault, when the next try would begin after ``seconds``.
    """
    deadline, pause = now() + seconds, FIRST_PAUSE_SECONDS
    while True:
        try:
            return await call()
        except faults as fault:
            wait = max(pause * random.uniform(0.5, 1.5), getattr(fault, "retry_after", None) or 0)  # noqa: S311 - jitter
            if now() + wait > deadline:
                raise
            log.info("service_waited_for", reason=str(fault), wait_seconds=round(wait, 2))
        await asyncio.sleep(wait)
        pause = min(pause * 2, LONGEST_PAUSE_SECONDS)


def backoff_seconds(times: int, base: float, longest: float) -> float:
    """Exponential backoff with full jitter, never under a tenth of its bound."""
    bound = min(longest, base * 2 ** min(times, 30))
    return random.uniform(bound / 10, bound)  # noqa: S311 - jitter
