"""Chains: the jobs that a job's end leads to, as messages to send after its result is committed.

All that is written here before the commit has names of the attempt's own, or names that tell the content, so
that an attempt that does not become the result has changed nothing.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from worker.ended import Parent
from worker.expansion import expanded, joined
from worker.fan_in import FanIns
from worker.faults import BlobMissing
from worker.handing_on import HandingOn, read_output

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from worker.expansion import Expanded, FanIn
    from worker.result import Result
    from worker.shelf import Shelf
    from worker.steps import Step
    from worker.trigger import StepTrigger

log = structlog.get_logger()
QUICK_BYTES = 2 << 10  # of output, which may be a list of as many items as make no wait worth mentioning


@dataclass(frozen=True)
class Planned:
    """A result that tells what follows it, and the messages that make it so: id and body of each."""

    result: Result
    messages: tuple[tuple[str, bytes], ...] = ()


class Chains:
    """What follows jobs that have ended.

    Args:
        shelf: the blobs.
        container: of the results.
        max_width: the most jobs of a fan-out.
    """

    def __init__(self, shelf: Shelf, container: str, max_width: int) -> None:
        self._shelf, self._fan_ins, self._max_width = shelf, FanIns(shelf, container), max_width

    async def planned(self, steps: Sequence[Step], result: Result, attempt: str) -> Planned:
        """What follows a job, with all that has to be there before its messages are sent.

        Args:
            steps: the job's ``then``.
            result: its result, not committed yet.
            attempt: the attempt's name; never the same twice.
        """
        if not steps:
            return Planned(result)
        parent = Parent(result, await read_output(self._shelf, result), attempt)
        handing_on, taken = HandingOn(self._shelf, result), []
        messages: list[tuple[str, bytes]] = []
        made = expanded(steps, parent, self._max_width)
        for _ in steps:
            step = await _next(made, in_thread=result.stdout.bytes > QUICK_BYTES)
            taken.append(step.summary)
            await self._begin(step, attempt)
            messages += await handing_on.messages(step.children)
        return Planned(result.model_copy(update={"then": tuple(taken)}), tuple(messages))

    async def concluded(self, made_by: StepTrigger) -> tuple[tuple[str, bytes], ...]:
        """Record that a job of a chain has ended; the message of the job that was waiting for it, if any.

        May be done again at any time, and has to be until it is known to be done.
        """
        fan_in = await self._fan_ins.ended(made_by)
        if fan_in is None:
            return ()
        try:
            return await self._join(fan_in, made_by.fan_in or "")
        except BlobMissing as error:
            log.warning("fan_in_not_complete", parent=fan_in.parent, step=fan_in.step, missing=str(error))
            return ()

    async def _begin(self, step: Expanded, attempt: str) -> None:
        if step.fan_in:
            await self._fan_ins.begin(step.fan_in, attempt)

    async def _join(self, fan_in: FanIn, name: str) -> tuple[tuple[str, bytes], ...]:
        results = await self._fan_ins.results(fan_in)
        if results is None:
            return ()
        result = await self._fan_ins.result(fan_in.parent)
        parent = Parent(result, await read_output(self._shelf, result), name)
        child = joined(fan_in, parent, results)
        log.info("fan_in_complete", parent=fan_in.parent, step=fan_in.step, join=child.id)
        given = json.dumps(results if isinstance(results, list) else []).encode()
        return tuple(await HandingOn(self._shelf, result, given).messages([child]))


async def _next(made: Iterator[Expanded], *, in_thread: bool) -> Expanded:
    """What the next step comes to; in a thread when it may take long, so that locks are renewed meanwhile."""
    return await asyncio.to_thread(next, made) if in_thread else next(made)
