"""The checker: a program of whoever set the cases, which judges output that no comparator can.

It runs in a session of its own, where nothing of the submission has ever run.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from worker.bounds import bounds_of
from worker.differing import shortened
from worker.grading import Opinion
from worker.inputs import Run
from worker.judging import read
from worker.model import Limits
from worker.program import packed, run_program
from worker.strict_json import to_bytes

if TYPE_CHECKING:
    from worker.grading import Grading
    from worker.inputs import Executable, Inputs
    from worker.lease import Lease
    from worker.ran import Ran
    from worker.settings import WorkerSettings

OUTPUT_BYTES = 64 << 10
MESSAGE_CHARS = 2000
WRONG_ANSWER = 1
# Node says this at the end of stderr when an exception ends it, with the exit code that means a wrong answer.
_CRASHED = re.compile(rb"\nNode\.js v[0-9.]+\s*$")


class _Answer(BaseModel):
    """What a checker may print, as the only thing, to give a share of the points."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    score: float = Field(ge=0, le=1, allow_inf_nan=False)
    message: str | None = None


async def check(
    checker: Executable, inputs: Inputs, grading: Grading, lease: Lease, settings: WorkerSettings
) -> None:
    """Ask the checker about each case that waits for it, with a process for each.

    Raises:
        ExecutionLost: no answer came.
        ServiceFault: nothing was asked.
    """
    waiting = grading.to_check
    runs = [_run(inputs, index, output, settings) for index, output in waiting]
    indexes = iter([index for index, _ in waiting])
    for pack in packed(runs):
        if not grading.to_check:
            return  # the first failure ends all
        for ran in await run_program(checker, pack, lease, 0):
            grading.hear(next(indexes), await opinion_of(ran, lease))


def _run(inputs: Inputs, index: int, output: bytes, settings: WorkerSettings) -> Run:
    bounds = bounds_of(Limits(), "", settings)
    files = [("input.txt", inputs.runs[index].stdin or b""), ("output.txt", output)]
    expected = inputs.asked.cases[index].expect.stdout
    if expected is not None:
        files.append(("expected.txt", to_bytes(expected)))
    return Run(replace(bounds, output_bytes=min(bounds.output_bytes, OUTPUT_BYTES)), files=tuple(files))


async def opinion_of(ran: Ran, lease: Lease) -> Opinion:
    """What the end and the output of a checker's process mean."""
    stdout, stderr = [await read(stream, lease, OUTPUT_BYTES) or b"" for stream in (ran.stdout, ran.stderr)]
    is_answer = ran.status == "succeeded" or (ran.status == "failed" and ran.exit_code == WRONG_ANSWER)
    if not is_answer or (ran.exit_code == WRONG_ANSWER and _CRASHED.search(stderr)):
        how = ran.error.message if ran.error else "it failed"
        return Opinion(None, _text(b"the checker failed: " + how.encode() + b"\n" + stderr))
    try:
        answer = _answer(stdout)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        return Opinion(None, f"the checker's answer cannot be used: {fault['loc'][0]}: {fault['msg']}")
    if answer is not None:
        return Opinion(answer.score, shortened(answer.message, MESSAGE_CHARS) if answer.message else None)
    return Opinion(0 if ran.exit_code == WRONG_ANSWER else 1, _text(stdout) or None)


def _answer(stdout: bytes) -> _Answer | None:
    """An object with a score that is all of the output; a text that looks otherwise is a message."""
    try:
        found = json.loads(stdout)
    except (ValueError, RecursionError):
        return None
    return _Answer.model_validate(found) if isinstance(found, dict) and "score" in found else None


def _text(data: bytes) -> str:
    return shortened(data.decode("utf-8", "replace").strip(), MESSAGE_CHARS)
