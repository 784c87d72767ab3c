"""Program mode: the runner, sent as one execution, starts the program as a fresh Node process."""

from __future__ import annotations

import secrets
from collections import Counter
from itertools import repeat
from typing import TYPE_CHECKING

from worker.faults import SessionLost
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
from worker.runner.script import file_prefix
from worker.settings import PLATFORM_RUN_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from worker.bounds import Bounds
    from worker.inputs import Executable, Placed, Run
    from worker.lease import Lease
    from worker.result import Status
    from worker.runner import Answer, Content, RunAnswer, Source

INLINE_BYTES = 128 << 10  # what travels in the one call; more goes up as files first
STARTUP_SECONDS = 8.0  # writing files and starting Node, beside the program's own time
BETWEEN_SECONDS = 0.2  # and for each run, its folder and what it left running
EXECUTION_SECONDS = PLATFORM_RUN_SECONDS - 10 - STARTUP_SECONDS
MAX_RUNS = 50  # of an execution, whose answer is held in memory
FIRST_RUNS = 4
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


def packed(runs: Sequence[Run], sizes: Iterable[int] = repeat(MAX_RUNS)) -> Iterator[Sequence[Run]]:
    """The runs in as few executions as their limits allow, in their order; ``sizes`` are the most of each."""
    start, seconds, bounds = 0, 0.0, iter(sizes)
    most = next(bounds)
    for index, run in enumerate(runs):
        seconds += _seconds(run)
        if index > start and (seconds > EXECUTION_SECONDS or index - start == most):
            yield runs[start:index]
            start, seconds, most = index, _seconds(run), next(bounds)
    yield runs[start:]


def growing() -> Iterator[int]:
    """Sizes for runs of which the first that is not accepted ends all.

    Only between executions can the worker look at output; few are run in vain, and few calls are made.
    """
    size = FIRST_RUNS
    while True:
        yield size
        size = min(size * 2, MAX_RUNS)


async def run_program(
    program: Executable, runs: Sequence[Run], lease: Lease, collect_bytes: int
) -> list[Ran]:
    """Run a program in one execution of the leased session, a fresh process for each of the runs.

    Returns:
        What came of each, up to the first that ended otherwise than the runs after it need.

    Raises:
        ExecutionLost: no answer came, or a damaged one: the program may have run.
        ServiceFault: it has not.
    """
    nonce = secrets.token_hex(12)
    upload = _Uploads(lease, file_prefix(nonce))
    wanted = await _wanted(program, runs, upload, collect_bytes)
    script = build_script(wanted, nonce=nonce, frame_chars=lease.stream_chars - _MARGIN_CHARS)
    execution = await lease.execute(script, sum(map(_seconds, runs)) + STARTUP_SECONDS)
    if execution.outcome != "succeeded":
        raise SessionLost(f"the session {execution.outcome}: {execution.stderr[:300]}")
    answer = await _answer(execution.stdout, nonce, lease)
    if not _is_complete(len(answer.runs), runs):
        raise SessionLost(f"the runner answered for {len(answer.runs)} runs of {len(runs)}")
    for ended, run in zip(answer.runs, runs, strict=False):
        _check(ended, run, program.collect, collect_bytes)
    return [
        _ran(ended, run.bounds, execution.allocate_ms) for ended, run in zip(answer.runs, runs, strict=False)
    ]


def _is_complete(answered: int, runs: Sequence[Run]) -> bool:
    if answered == len(runs):
        return True
    return 0 < answered < len(runs) and runs[answered - 1].needs_exit_code is not None


def _check(ended: RunAnswer, run: Run, collect: Sequence[str], collect_bytes: int) -> None:
    """What says that it is more than was asked for is not the runner's: it would cost memory and storage."""
    streams = max(ended.stdout.size, ended.stderr.size)
    if streams > run.bounds.output_bytes:
        raise SessionLost(f"a stream of {streams} bytes came where {run.bounds.output_bytes} were the most")
    told = [*(file.path for file in ended.files), *(problem.path for problem in ended.problems)]
    if not Counter(told) <= Counter(collect):
        raise SessionLost("files came that were not asked for")
    if any(file.size > collect_bytes for file in ended.files):
        raise SessionLost(f"a file came that has more than {collect_bytes} bytes")


def _seconds(run: Run) -> float:
    """What an execution must allow for a run beside the others."""
    return run.bounds.timeout_seconds + BETWEEN_SECONDS


async def _wanted(program: Executable, runs: Sequence[Run], upload: _Uploads, collect_bytes: int) -> Program:
    return Program(
        code=await upload.source(program.code),
        file_name=program.file_name,
        files=await upload.files(program.files),
        links=program.links,
        collect=program.collect,
        collect_bytes=collect_bytes,
        runs=tuple([await _spec(program, run, upload) for run in runs]),
        reports=program.reports,
    )


async def _spec(program: Executable, run: Run, upload: _Uploads) -> RunSpec:
    return RunSpec(
        timeout_seconds=run.bounds.timeout_seconds,
        memory_mb=run.bounds.memory_mb,
        output_bytes=run.bounds.output_bytes,
        stdin=None if run.stdin is None else await upload.source(run.stdin),
        args=run.args,
        env=program.env,
        files=await upload.files(run.files),
        needs_exit_code=run.needs_exit_code,
    )


class _Uploads:
    """Small contents go along in the script; what no longer fits is uploaded first.

    Anew for each execution, under names that programs of the one before could not foresee: they could have
    changed what lies in the session, and put a folder where the next upload goes. The runner removes them.
    """

    def __init__(self, lease: Lease, prefix: str) -> None:
        self._lease, self._prefix, self._left = lease, prefix, INLINE_BYTES
        self._uploaded: dict[bytes, Uploaded] = {}

    async def source(self, data: bytes) -> Source:
        if len(data) <= self._left:
            self._left -= len(data)
            return data
        if data not in self._uploaded:
            name = f"{self._prefix}-input-{len(self._uploaded) + 1}"
            await self._lease.upload(name, data)
            self._uploaded[data] = Uploaded(name)
        return self._uploaded[data]

    async def files(self, files: Placed) -> tuple[tuple[str, Source], ...]:
        return tuple([(path, await self.source(data)) for path, data in files])


async def _answer(stdout: str, nonce: str, lease: Lease) -> Answer:
    try:
        found = parse_frame(stdout, nonce)
        if not isinstance(found, StoredAnswer):
            return found
        data = b"".join([chunk async for chunk in lease.download(found.name, found.size)])
        return parse_stored(found, data, nonce)
    except FrameError as error:
        raise SessionLost(f"the runner's answer did not come whole: {error}") from error


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
        report=run.report,
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
