"""Waiting for all jobs of a fan-out, with no memory but blobs.

Before any of them is sent there is a record of what is waited for. Each that has ended appends its index to
a second record, and then looks whether all are there: whichever appended last sees all, whatever the order
and whoever died in between, since who did not get to look appends and looks again. Several may see all at
once; the job they then send has one id, and so one result.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import structlog
from pydantic import ValidationError

from worker.chain_names import ended_blob, fan_in_blob
from worker.expansion import FanIn
from worker.faults import BlobMissing, BlobTooLarge
from worker.handing_on import read_output
from worker.result import Result, result_blob
from worker.together import together
from worker.trigger import Refusal

if TYPE_CHECKING:
    from worker.shelf import Shelf
    from worker.trigger import StepTrigger

log = structlog.get_logger()
RECORD_BYTES = 4 << 20
RESULT_BYTES = 64 << 20
ENDED_BYTES = 16 << 20
MOST_DIGITS = 5
MOST_OUTPUT_BYTES = 16 << 20  # of all jobs of a fan-out, as the one that joins them is given it
JSON = "application/json"


class _TooMuch(Exception):
    """The outputs of a fan-out are too long to be given to one job."""


class FanIns:
    """The records of fan-outs in the results' container."""

    def __init__(self, shelf: Shelf, container: str) -> None:
        self._shelf, self._container = shelf, container

    async def begin(self, fan_in: FanIn, name: str) -> None:
        """Write what is waited for; ``name`` is the fan-out's own among those of other attempts."""
        blob = self._blob(fan_in_blob(fan_in.parent, name, fan_in.step))
        await self._shelf.keep(blob, fan_in.model_dump_json().encode(), JSON)

    async def ended(self, made_by: StepTrigger) -> FanIn | None:
        """Record that a job of a fan-out has ended; what was waited for when all have."""
        if made_by.fan_in is None or made_by.index is None or made_by.of is None:
            return None
        blob = self._blob(ended_blob(made_by.parent, made_by.fan_in, made_by.step))
        await self._shelf.append(blob, b"%d\n" % made_by.index)
        there = indices(await self._shelf.read(blob, ENDED_BYTES))
        if not there.issuperset(range(made_by.of)):
            return None
        return await self._begun(made_by, made_by.fan_in)

    async def results(self, fan_in: FanIn) -> list[dict[str, Any]] | Refusal | None:
        """What the jobs came to, in the order of their indices; None when one has no result after all."""
        room = _Room(MOST_OUTPUT_BYTES)

        async def one(numbered: tuple[int, str]) -> dict[str, Any]:
            return await self._summary(fan_in.batch, *numbered, room)

        try:
            return await together(one, enumerate(fan_in.children()))
        except BlobMissing as error:
            log.warning("fan_in_not_complete", parent=fan_in.parent, step=fan_in.step, missing=str(error))
            return None
        except _TooMuch:
            message = f"the outputs of the {fan_in.count} jobs have together over {MOST_OUTPUT_BYTES} bytes"
            return Refusal(code="results_too_large", message=message)

    async def result(self, reference: str) -> Result:
        """A committed result, by ``batch/id``; raises ``BlobMissing`` where there is none to be read."""
        batch, _, job_id = reference.partition("/")
        blob = self._blob(result_blob(batch, job_id))
        try:
            return Result.model_validate_json(await self._shelf.read(blob, RESULT_BYTES))
        except (ValidationError, BlobTooLarge):
            raise BlobMissing(f"{blob} is no result") from None

    async def _begun(self, made_by: StepTrigger, name: str) -> FanIn | None:
        """The record; None for what is none of ours, since messages may say anything."""
        blob = self._blob(fan_in_blob(made_by.parent, name, made_by.step))
        try:
            fan_in = FanIn.model_validate_json(await self._shelf.read(blob, RECORD_BYTES))
        except (BlobMissing, BlobTooLarge, ValidationError):
            log.warning("fan_in_unknown", parent=made_by.parent, step=made_by.step)
            return None
        return fan_in if fan_in.count == made_by.of else None

    async def _summary(self, batch: str, index: int, job_id: str, room: _Room) -> dict[str, Any]:
        result = await self.result(f"{batch}/{job_id}")
        output = await read_output(self._shelf, result)
        room.take(output.value)
        fields = json.loads(
            result.model_dump_json(include={"id", "batch", "status", "verdict", "score", "error"})
        )
        return {"index": index, **fields, "output": output.value}

    def _blob(self, name: str) -> str:
        return f"{self._container}/{name}"


def indices(lines: bytes) -> set[int]:
    """The indices of whole lines; what is none is passed over."""
    end = lines.rfind(b"\n") + 1
    return {int(line) for line in lines[:end].splitlines() if line.isdigit() and len(line) <= MOST_DIGITS}


class _Room:
    def __init__(self, left: int) -> None:
        self._left = left

    def take(self, value: object) -> None:
        self._left -= len(json.dumps(value))
        if self._left < 0:
            raise _TooMuch
