"""Program mode: the runner, sent as one execution, starts the program as a fresh Node process."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from worker.faults import ExecutionLost
from worker.ran import Captured, Ran
from worker.result import Error
from worker.runner import (
    FrameError,
    Program,
    RunSpec,
    StoredAnswer,
    Uploaded,
    build_script,
    parse_frame,
    parse_stored,
)

if TYPE_CHECKING:
    from worker.inputs import Bounds, Inputs
    from worker.job import Job
    from worker.result import Status
    from worker.runner import Answer, Content, RunAnswer, Source
    from worker.session_leases import Lease

INLINE_BYTES = 128 << 10  # what travels in the one call; more goes up as files first
STARTUP_SECONDS = 8.0  # writing files and starting Node, beside the program's own time
_MARGIN_CHARS = 200
_STATUSES: dict[str, Status] = {
    "timeout": "timed_out",
    "memory": "out_of_memory",
    "output": "output_limit",
    "spawn_failed": "failed",
}
_LIMITS = {
    "timeout": ("timed_out", "it ran longer than {0.timeout_seconds:g} s"),
    "memory": ("out_of_memory", "it used more than {0.memory_mb} MiB of memory"),
    "output": ("output_limit", "it wrote more than {0.output_bytes} bytes to one stream"),
}


async def run_program(job: Job, inputs: Inputs, bounds: Bounds, lease: Lease, collect_bytes: int) -> Ran:
    """Run the job's program once in the leased session.

    Raises:
        ExecutionLost: no answer came, or a damaged one: the program may have run.
        ServiceFault: it has not.
    """
    nonce = secrets.token_hex(12)
    upload = _Uploads(lease)
    program = Program(
        code=await upload.source(inputs.code),
        file_name=inputs.file_name,  # type: ignore[arg-type] # one of the three that Program names
        files=tuple([(path, await upload.source(data)) for path, data in inputs.files]),
        collect=job.collect,
        collect_bytes=collect_bytes,
        runs=(
            RunSpec(
                timeout_seconds=bounds.timeout_seconds,
                memory_mb=bounds.memory_mb,
                output_bytes=bounds.output_bytes,
                stdin=None if inputs.stdin is None else await upload.source(inputs.stdin),
                args=job.args,
                env=job.env,
            ),
        ),
    )
    script = build_script(program, nonce=nonce, frame_chars=lease.stream_chars - _MARGIN_CHARS)
    execution = await lease.execute(script, bounds.timeout_seconds + STARTUP_SECONDS)
    if execution.outcome != "succeeded":
        raise ExecutionLost(f"the session {execution.outcome}: {execution.stderr[:300]}")
    answer = await _answer(execution.stdout, nonce, lease)
    return _ran(answer.runs[0], bounds, execution.allocate_ms)


class _Uploads:
    """Small contents go along in the script; what no longer fits is uploaded first."""

    def __init__(self, lease: Lease) -> None:
        self._lease, self._left, self._count = lease, INLINE_BYTES, 0

    async def source(self, data: bytes) -> Source:
        if len(data) <= self._left:
            self._left -= len(data)
            return data
        self._count += 1
        name = f"jsw-input-{self._count}"
        await self._lease.upload(name, data)
        return Uploaded(name)


async def _answer(stdout: str, nonce: str, lease: Lease) -> Answer:
    try:
        found = parse_frame(stdout, nonce)
        if not isinstance(found, StoredAnswer):
            return found
        data = b"".join([chunk async for chunk in lease.download(found.name)])
        return parse_stored(found, data, nonce)
    except FrameError as error:
        raise ExecutionLost(f"the runner's answer did not come whole: {error}") from error


def _ran(run: RunAnswer, bounds: Bounds, allocate_ms: float | None) -> Ran:
    status = _STATUSES.get(run.ended_by) or ("succeeded" if run.exit_code == 0 else "failed")
    return Ran(
        status=status,
        stdout=_captured(run.stdout),
        stderr=_captured(run.stderr),
        exit_code=run.exit_code,
        signal=run.signal,
        error=_error(run, bounds),
        files=tuple((file.path, _captured(file)) for file in run.files),
        allocate_ms=allocate_ms,
        execute_ms=run.duration_ms,
    )


def _captured(content: Content) -> Captured:
    return Captured(content.size, content.truncated, content.inline, content.name)


def _error(run: RunAnswer, bounds: Bounds) -> Error | None:
    """The first thing the program's owner should know."""
    if run.ended_by in _LIMITS:
        code, text = _LIMITS[run.ended_by]
        return Error(code=code, message=text.format(bounds))
    if run.ended_by == "spawn_failed":
        return Error(code="spawn_failed", message=f"it could not be started: {run.error}")
    if run.signal or run.exit_code:
        how = f"was ended by {run.signal}" if run.signal else f"exited with code {run.exit_code}"
        return Error(code="signal" if run.signal else "exit_code", message=f"it {how}")
    if run.problems:
        text = ", ".join(f"{problem.path} ({problem.reason})" for problem in run.problems)
        return Error(
            code="not_collected", message=f"files that were asked for did not come: {text}", field="collect"
        )
    return None
