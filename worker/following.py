"""Following a chain by the results of its jobs, each of which says what comes after it."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pydantic import ValidationError

from worker.chain_names import child_id
from worker.faults import BlobMissing
from worker.job import carried
from worker.report import MAX_RESULT_BYTES
from worker.result import FanOut, NextStep, Result, result_blob
from worker.together import together

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from worker.batch import Store
    from worker.trigger import StepTrigger

LOOKED_FOR = 200  # jobs that have not ended, at one look
SOONEST_SECONDS = 0.5
LATEST_SECONDS = 5.0


@dataclass
class Node:
    """A job of a chain; ``status`` is None until it has ended.

    Attributes:
        steps: what follows it, as its result tells.
    """

    batch: str
    id: str
    status: str | None = None
    verdict: str | None = None
    steps: list[Taken] = field(default_factory=list)

    @property
    def reference(self) -> str:
        """``batch/id``."""
        return f"{self.batch}/{self.id}"

    @property
    def state(self) -> str:
        """In a word or two."""
        verdict = f", {self.verdict}" if self.verdict else ""
        return f"{self.status}{verdict}" if self.status else "waiting"


@dataclass
class Taken:
    """A step after a job, with the jobs it came to and the one that waits for them."""

    step: NextStep
    jobs: list[Node]
    join: Node | None

    @property
    def waiting(self) -> list[Node]:
        """Those of its jobs that have not ended."""
        return [node for node in self.jobs if node.status is None]

    @property
    def counts(self) -> Counter[str]:
        """How many of its jobs are in which state."""
        return Counter(node.state for node in self.jobs)

    def nodes(self) -> Iterator[Node]:
        """Its jobs, and the one that joins them."""
        yield from self.jobs
        if self.join:
            yield self.join


class Chain:
    """A chain as far as it is known, from one of its jobs on."""

    def __init__(self, store: Store, container: str, batch: str, job_id: str) -> None:
        self._store, self._container = store, container
        self.root = Node(batch, job_id)
        self.waiting = [self.root]
        self.ended = 0

    async def look(self, levels: int | None = None) -> bool:
        """Read the results that are new, and those of what they lead to; whether there was any.

        Args:
            levels: how far to go at most; all the way when None.
        """
        asked, before = self.waiting[:LOOKED_FOR], self.ended
        later = self.waiting[LOOKED_FOR:]
        while asked and levels != 0:
            await together(self._read, asked)
            levels = None if levels is None else levels - 1
            later += [node for node in asked if node.status is None]
            asked = [node for one in asked if one.status for taken in one.steps for node in taken.nodes()]
        self.waiting = later + asked
        return self.ended > before

    async def _read(self, node: Node) -> None:
        blob = f"{self._container}/{result_blob(node.batch, node.id)}"
        try:
            data = (await self._store.read(blob, limit=MAX_RESULT_BYTES)).data
        except BlobMissing:
            return
        self.ended += 1
        try:
            result = Result.model_validate_json(data)
        except ValidationError:
            node.status = "unreadable"
        else:
            node.status, node.verdict = result.status, result.verdict
            node.steps = [taken(result, step) for step in result.then]


def taken(result: Result, step: NextStep) -> Taken:
    """A step with the names of its jobs; their states are not known yet."""
    batch = step.batch or result.batch
    jobs = step.jobs
    if isinstance(jobs, FanOut):
        jobs = tuple(child_id(batch, result.id, step.step, index) for index in range(jobs.count))
    join = _node(step.join) if step.join else None
    return Taken(step, [Node(batch, job_id) for job_id in jobs], join)


def _node(reference: str) -> Node:
    batch, _, job_id = reference.partition("/")
    return Node(batch, job_id)


async def follow_chain(
    chain: Chain, pause: Callable[[float], Awaitable[None]] = asyncio.sleep
) -> AsyncIterator[Chain]:
    """The chain after the first look, and each that has shown something new, until all jobs have ended."""
    wait, is_first = SOONEST_SECONDS, True
    while True:
        if await chain.look() or is_first:
            wait, is_first = SOONEST_SECONDS, False
            yield chain
        if not chain.waiting:
            return
        await pause(wait)
        wait = min(wait * 1.5, LATEST_SECONDS)


@dataclass(frozen=True)
class Near:
    """What stands before and after one job of a chain.

    Attributes:
        made_by: the step that made it, if any.
        steps: what follows it, with how far that is.
        awaited: for a job that is to join a fan-out and is not made yet, the jobs it waits for.
    """

    made_by: StepTrigger | None = None
    steps: tuple[Taken, ...] = ()
    awaited: tuple[Node, ...] = ()


ALONE = Near()


async def near(store: Store, container: str, batch: str, job_id: str, document: object) -> Near:
    """What a job's results, and those of the jobs about it, tell of its chain.

    Args:
        store: the blobs.
        container: of the results.
        batch: the job's.
        job_id: its id.
        document: the job or its result, as far as there is one.
    """
    chain = Chain(store, container, batch, job_id)
    await chain.look(levels=2)
    trigger = carried(document).trigger
    awaited = () if document else await _awaited(store, container, chain.root)
    return Near(trigger.step if trigger else None, tuple(chain.root.steps), awaited)


async def _awaited(store: Store, container: str, join: Node) -> tuple[Node, ...]:
    """The jobs that a job waits for which would join them, by its name; not known of names that were cut."""
    parent = re.fullmatch(r"(.+)\.[^.]+\.join", join.id)
    if not parent:
        return ()
    chain = Chain(store, container, join.batch, parent[1])
    await chain.look(levels=2)
    steps = [each for each in chain.root.steps if each.join and each.join.reference == join.reference]
    return tuple(node for each in steps for node in each.waiting or each.jobs)
