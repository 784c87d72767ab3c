"""Many small calls to a service, a few at a time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

T = TypeVar("T")
R = TypeVar("R")
TOGETHER = 16


async def together(call: Callable[[T], Awaitable[R]], items: Iterable[T], most: int = TOGETHER) -> list[R]:
    """What the call returns for each item, in their order; the first failure ends the others."""
    room = asyncio.Semaphore(most)

    async def one(item: T) -> R:
        async with room:
            return await call(item)

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(item)) for item in items]
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None
    return [task.result() for task in tasks]
