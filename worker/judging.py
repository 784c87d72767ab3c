"""One run against its case: by how it ended, then by what it printed."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from worker.comparing import difference
from worker.faults import SessionFileMissing
from worker.pattern import Undecided
from worker.result import CaseResult, Stream

if TYPE_CHECKING:
    from worker.case import Case
    from worker.lease import Lease
    from worker.ran import Captured, Ran
    from worker.result import Status, Verdict

TEXT_BYTES = 4 << 10  # of each stream of a case, in the result
COMPARED_BYTES = 8 << 20  # far more than any expectation has
CHECKED_BYTES = 1 << 20
QUICK_BYTES = 64 << 10  # compared in no time
LIMITED: dict[Status, Verdict] = {
    "timed_out": "time_limit",
    "out_of_memory": "memory_limit",
    "output_limit": "output_limit",
}


@dataclass(frozen=True)
class Judgement:
    """What a case came to, as the owner of the cases may see it; ``output`` if a checker is to be asked."""

    result: CaseResult
    output: bytes | None = None


async def judged(case: Case, ran: Ran, lease: Lease) -> Judgement:
    """Judge a run, as long as its session is there.

    Raises:
        ExecutionLost: its output did not come.
    """
    verdict, stdout, diff = _verdict_by_end(case, ran), None, None
    asks = case.compare == "checker"
    if verdict == "accepted" and (asks or case.expect.stdout is not None):
        limit = CHECKED_BYTES if asks else COMPARED_BYTES
        stdout = await read(ran.stdout, lease, limit)
        verdict, diff = await _compared(case, ran.stdout, stdout, limit)
    result = CaseResult(
        name=case.name,
        verdict=verdict,
        points=case.points if verdict == "accepted" else 0,
        of=case.points,
        exit_code=ran.exit_code,
        signal=ran.signal,
        duration_ms=ran.execute_ms,
        stdout=await beginning(ran.stdout, lease, stdout),
        stderr=await beginning(ran.stderr, lease),
        diff=diff,
        hidden=case.hidden,
    )
    return Judgement(result, stdout if asks and verdict == "accepted" else None)


def _verdict_by_end(case: Case, ran: Ran) -> Verdict:
    """What can be said before the output is looked at."""
    if ran.status in LIMITED:
        return LIMITED[ran.status]
    return "accepted" if ran.exit_code == (case.expect.exit_code or 0) else "runtime_error"


async def _compared(
    case: Case, captured: Captured, output: bytes | None, limit: int
) -> tuple[Verdict, str | None]:
    """``accepted`` also where only a checker can tell."""
    if output is None:
        return "wrong_answer", "another run of the program removed the output of this one"
    if captured.size > limit:
        return "wrong_answer", f"the output has over {limit:,} bytes"
    if case.compare == "checker":
        return "accepted", None
    try:
        diff = await _difference(case, output)
    except Undecided as error:
        return "internal_error", str(error)
    return ("wrong_answer", diff) if diff else ("accepted", None)


async def _difference(case: Case, output: bytes) -> str | None:
    """In a thread when it may take long: messages' locks are renewed meanwhile."""
    wanted = (case.compare, case.expect.stdout or "", output, case.tolerance)
    if case.compare == "regex" or len(output) > QUICK_BYTES:
        return await asyncio.to_thread(difference, *wanted)
    return difference(*wanted)


async def beginning(captured: Captured, lease: Lease, data: bytes | None = None) -> Stream:
    """The beginning of a stream; of what has been read already, if it has."""
    if data is None:
        data = await read(captured, lease, TEXT_BYTES) or b""
    text = data[:TEXT_BYTES].decode("utf-8", "replace")
    truncated = captured.truncated or captured.size > TEXT_BYTES
    return Stream(text=text, bytes=captured.size, truncated=truncated)


async def read(captured: Captured, lease: Lease, limit: int) -> bytes | None:
    """The first bytes of what was captured; None for a file of the session that is no longer there."""
    if captured.data is not None:
        return captured.data[:limit]
    pieces = lease.download(captured.name or "", min(limit, captured.size))
    try:
        return b"".join([piece async for piece in pieces])
    except SessionFileMissing:
        return None
