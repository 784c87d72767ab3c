"""Cell mode: the code goes to the session's kernel as it is, in the kernel's one global scope."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from worker.faults import SessionLost
from worker.ran import Captured, Ran
from worker.result import Error
from worker.strict_json import to_bytes

if TYPE_CHECKING:
    from worker.bounds import Bounds
    from worker.inputs import Inputs
    from worker.job import Job
    from worker.lease import Lease
    from worker.ran import Execution
    from worker.result import Status

_THROWN = re.compile(r"[\w.]*(Error|Exception)\b")


async def run_cell(job: Job, inputs: Inputs, bounds: Bounds, lease: Lease) -> Ran:
    """Run the code in the leased session's kernel; files lie in, and are collected from, its data folder.

    Raises:
        ExecutionLost: no answer came: the code may have run.
        ServiceFault: it has not.
    """
    for path, data in inputs.program.files:
        await lease.upload(path, data)
    execution = await lease.execute(inputs.code.decode("utf-8", "replace"), bounds.timeout_seconds)
    if execution.outcome == "aborted":
        raise SessionLost(f"the session's kernel died: {execution.stderr[:300]}")
    if execution.outcome == "timed_out":
        lease.reusable = False  # the code may still be running in it
    ended: dict[str, Status] = {"succeeded": "succeeded", "timed_out": "timed_out"}
    status = ended.get(execution.outcome, "failed")
    return Ran(
        status,
        stdout=_captured(execution.stdout, lease.stream_chars, bounds),
        stderr=_captured(execution.stderr, lease.stream_chars, bounds),
        value=None if execution.value is None else _text(execution.value),
        error=_error(execution, bounds),
        unmeasured=job.collect,
        allocate_ms=execution.allocate_ms,
        execute_ms=execution.execute_ms,
    )


def _captured(text: str, stream_chars: int, bounds: Bounds) -> Captured:
    """The service cuts a stream at its bound without a word: one of just that length was perhaps longer."""
    data = to_bytes(text)
    cut = len(text) >= stream_chars or len(data) > bounds.output_bytes
    return Captured(min(len(data), bounds.output_bytes), cut, data[: bounds.output_bytes])


def _error(execution: Execution, bounds: Bounds) -> Error | None:
    match execution.outcome:
        case "timed_out":
            return Error(code="timed_out", message=f"it ran longer than {bounds.timeout_seconds:g} s")
        case "failed":
            lines = _text(execution.stderr).strip().splitlines() or ["the kernel says Failed"]
            thrown = next((line for line in lines if _THROWN.match(line)), lines[0])
            return Error(code="exception", message=thrown[:500])
    return None


def _text(text: str) -> str:
    """What can be written as UTF-8: the kernel passes lone surrogates on."""
    return to_bytes(text).decode()
