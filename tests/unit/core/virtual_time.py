"""An event loop whose clock jumps to the next timer when nothing is ready: an hour takes no time."""

from __future__ import annotations

import asyncio
import selectors
from typing import Any

STUCK_AFTER_SECONDS = 5.0  # of real time, without a timer: nothing will ever happen


class VirtualLoop(asyncio.SelectorEventLoop):
    """Collects what went wrong unseen, in ``unhandled``.

    Attributes:
        hears_threads: whether anything may come from outside; listening is a good part of the time taken.
    """

    hears_threads = True

    def __init__(self) -> None:
        self._now = 0.0
        self.unhandled: list[dict[str, Any]] = []
        super().__init__(_Selector(self))
        self.set_exception_handler(lambda _, context: self.unhandled.append(context))

    def time(self) -> float:
        return self._now

    @staticmethod
    def unhandled_of_running() -> list[dict[str, Any]]:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        return loop.unhandled

    def jump(self, seconds: float) -> None:
        self._now += seconds


class _Selector(selectors.SelectSelector):
    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0) if self._loop.hears_threads else []
        if ready or timeout == 0:
            return ready
        if timeout is None:
            return self._something()
        self._loop.jump(timeout)
        return []

    def _something(self) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(STUCK_AFTER_SECONDS)
        if not ready:
            raise RuntimeError("every task waits for something that will never come")
        return ready
