"""A virtual loop on which each process has its own tasks, can stand still for a while, and can be gone."""

from __future__ import annotations

import asyncio
import heapq
from contextvars import Context, ContextVar, copy_context
from typing import TYPE_CHECKING, Any, TypeVar, TypeVarTuple, Unpack

from tests.unit.core.virtual_time import VirtualLoop

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable, Coroutine

T = TypeVar("T")
Ts = TypeVarTuple("Ts")
_PROCESS: ContextVar[object] = ContextVar("process", default=None)


class ProcessesLoop(VirtualLoop):
    """Knows by its context which process a task, a callback or a timer belongs to.

    While a process is frozen nothing of it runs, its timers included; what would have run does so when it
    thaws: first what came from outside, as a selector would report it, then the timers.
    """

    hears_threads = False
    _ready: deque[asyncio.Handle]
    _scheduled: list[asyncio.TimerHandle]
    _clock_resolution: float

    def __init__(self) -> None:
        super().__init__()
        self._frozen: dict[object, tuple[list[asyncio.Handle], list[asyncio.Handle]]] = {}
        self._freezing: list[object] = []
        self._tasks: dict[object, list[asyncio.Task[Any]]] = {}
        self.set_task_factory(self._new_task)  # type: ignore[arg-type] # it is one

    def spawn(self, process: object, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """A task of a process, as are all that come of it."""
        context = copy_context()
        context.run(_PROCESS.set, process)
        return self.create_task(work, context=context)

    def tasks_of(self, process: object) -> list[asyncio.Task[Any]]:
        left = [task for task in self._tasks.get(process, ()) if not task.done()]
        self._tasks[process] = left
        return left

    def freeze(self, process: object) -> None:
        """From the loop's next round on."""
        self._freezing.append(process)

    def thaw(self, process: object) -> None:
        if process in self._freezing:
            self._freezing.remove(process)
        arrived, due = self._frozen.pop(process, ([], []))
        self._ready.extend(arrived + due)

    def call_soon(
        self, callback: Callable[[Unpack[Ts]], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        handle = super().call_soon(callback, *args, context=context)
        if self._frozen and (backlog := self._frozen.get(_process_of(handle))):
            assert self._ready.pop() is handle
            backlog[0].append(handle)
        return handle

    def _process_events(self, event_list: object) -> None:
        """Called after time has passed and before the timers that are due."""
        super()._process_events(event_list)  # type: ignore[misc] # asyncio's own
        while self._freezing:
            self._hold_back(self._freezing.pop())
        if self._frozen:
            self._hold_timers_back()

    def _hold_back(self, process: object) -> None:
        arrived, _ = self._frozen.setdefault(process, ([], []))
        handles = list(self._ready)
        self._ready.clear()
        for handle in handles:
            (arrived if _process_of(handle) is process else self._ready).append(handle)

    def _hold_timers_back(self) -> None:
        kept = []
        while self._scheduled and self._scheduled[0].when() <= self.time() + self._clock_resolution:
            timer = heapq.heappop(self._scheduled)
            backlog = self._frozen.get(_process_of(timer))
            if backlog and not timer._cancelled:
                timer._scheduled = False  # type: ignore[attr-defined] # asyncio's own
                backlog[1].append(timer)
            else:
                kept.append(timer)
        for timer in kept:
            heapq.heappush(self._scheduled, timer)

    def _new_task(
        self, loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, T], context: Context | None = None
    ) -> asyncio.Task[T]:
        process = context.get(_PROCESS) if context else _PROCESS.get()
        task = asyncio.Task(work, loop=loop, context=context)
        self._tasks.setdefault(process, []).append(task)
        return task


def _process_of(handle: asyncio.Handle) -> object:
    context: Context = handle._context  # type: ignore[attr-defined] # asyncio's own
    return context.get(_PROCESS)
