"""The invariants, as functions over the records of a run. Nothing here looks at anything else."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from tests.chaos.records import Broken, Execution, Expected, Records

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from typing import Any

NAMELESS = "message-"
_SHOWN = 8
_TURNED_AWAY = {404, 429, 503}  # what the pool answers an execution that it has not begun


def check(records: Records, *, most_sessions: int) -> list[Broken]:
    """Every invariant that did not hold, with its evidence."""
    return [
        Broken(rule, _evidence(found))
        for rule, find in _RULES.items()
        if (found := list(find(records, most_sessions)))
    ]


def lost(records: Records, _most: int = 0) -> Iterator[str]:
    """Jobs that were submitted and have no result."""
    yield from records.expected.keys() - records.results.keys()
    found = sum(job.startswith(NAMELESS) for job in records.results)
    if found < records.nameless:
        yield f"{records.nameless - found} of {records.nameless} messages without a name"


def unexpected(records: Records, _most: int = 0) -> Iterator[str]:
    """Results of jobs that nobody submitted."""
    yield from (
        job for job in records.results if job not in records.expected and not job.startswith(NAMELESS)
    )
    found = sum(job.startswith(NAMELESS) for job in records.results)
    if found > records.nameless + records.uncertain:
        yield f"{found} messages without a name, {records.nameless} were sent"


def changed(records: Records, _most: int = 0) -> Iterator[str]:
    """Results that were seen under more than one ETag, or vanished."""
    seen: dict[str, str] = {}
    for sighting in (*records.sightings, records.etags):
        for job, etag in sighting.items():
            if seen.setdefault(job, etag) != etag:
                yield f"{job}: {seen[job]}, then {etag}"
    yield from (f"{job}: vanished" for job in seen.keys() - records.etags.keys())


def wrong(records: Records, _most: int = 0) -> Iterator[str]:
    """Results that do not say what the job's program does."""
    for job, expected in records.expected.items():
        result = records.results.get(job)
        if result and (differing := _differing(expected, result)):
            yield f"{job}: {differing}"


def contradicted(records: Records, _most: int = 0) -> Iterator[str]:
    """Progress lines that tell another outcome than the result: a second visible outcome."""
    for line in records.lines:
        result = records.results.get(line["id"])
        if result is None:
            yield f"{line['id']}: a line without a result"
        elif any(result.get(name) != value for name, value in line.items()):
            yield f"{line['id']}: {dict(line)}"


def untold(records: Records, _most: int = 0) -> Iterator[str]:
    """Results that no progress line tells of."""
    yield from records.results.keys() - {line["id"] for line in records.lines}


def unhealthily_ended(records: Records, _most: int = 0) -> Iterator[str]:
    """Healthy jobs that were dead-lettered, or given up for want of attempts."""
    for letter in records.dead_letters:
        expected = records.expected.get(letter.job or "")
        if expected and expected.healthy:
            yield f"{letter.job}: dead-lettered as {letter.reason}"
    for job, expected in records.expected.items():
        error = (records.results.get(job) or {}).get("error") or {}
        if expected.healthy and error.get("code") in {"attempts_exhausted", "lost"}:
            yield f"{job}: {error['code']}: {error.get('message', '')[:200]}"


def unaccounted_dead_letters(records: Records, _most: int = 0) -> Iterator[str]:
    """Dead letters without a result that says why."""
    for letter in records.dead_letters:
        job = letter.job or f"{NAMELESS}{letter.sequence_number}"
        result = records.results.get(job)
        if result is None:
            yield f"{job}: {letter.reason}, and no result"


def left_in_the_queue(records: Records, _most: int = 0) -> Iterator[str]:
    """Messages that nobody settled."""
    yield from records.waiting


def sessions_left(records: Records, _most: int = 0) -> Iterator[str]:
    """Sessions that are allocated when all is over; their identifiers are secrets."""
    yield from (f"{identifier[:16]}…" for identifier in records.sessions)


def permits_left(records: Records, _most: int = 0) -> Iterator[str]:
    """Permits that are still leased when all workers have ended."""
    yield from records.permits


def over_the_bound(records: Records, most: int) -> Iterator[str]:
    """Samples of the pool with more sessions than all workers together may have."""
    over = [count for count in records.sampled if count > most]
    if over:
        yield f"{len(over)} of {len(records.sampled)} samples, up to {max(over)} sessions, {most} allowed"
    if not records.sampled:
        yield "the pool was never sampled"


def bad_exits(records: Records, _most: int = 0) -> Iterator[str]:
    """Workers that were asked to stop and did not end well."""
    yield from (f"{worker}: {status}" for worker, status in records.exits if status != 0)


def defects(records: Records, _most: int = 0) -> Iterator[str]:
    """What the workers' logs have that no fault of a service excuses."""
    yield from (f"{event} ({count})" for event, count in records.defects.items())


def ran(executions: Iterable[Execution]) -> list[Execution]:
    """Those that may have run code: not the ones the pool turned away."""
    return [execution for execution in executions if execution.status not in _TURNED_AWAY]


def repeatable(records: Records) -> list[Execution]:
    """Those of healthy jobs that were sent once: there is no call for a second one."""
    return [one for one in ran(records.executions) if _once(records, one.job)]


def duplicates(executions: Iterable[Execution]) -> int:
    """How many executions there were beyond one a job: allowed, and worth knowing."""
    counted = Counter(execution.job for execution in executions)
    return sum(count - 1 for count in counted.values())


def overlaps(executions: Iterable[Execution]) -> int:
    """How many executions began while another one of the same job was under way."""
    latest: dict[str, float] = {}
    found = 0
    for execution in sorted(executions, key=lambda one: one.began):
        found += execution.began < latest.get(execution.job, 0.0)
        ended = execution.began if execution.ended is None else execution.ended
        latest[execution.job] = max(ended, latest.get(execution.job, 0.0))
    return found


def _once(records: Records, job: str) -> bool:
    expected = records.expected.get(job)
    return expected is not None and expected.healthy and expected.once


def _differing(expected: Expected, result: Mapping[str, Any]) -> str:
    pairs = {
        "status": (expected.status, result.get("status")),
        "stdout": (expected.stdout, (result.get("stdout") or {}).get("text")),
        "exit_code": (expected.exit_code, result.get("exit_code")),
        "verdict": (expected.verdict, result.get("verdict")),
    }
    differing = [
        f"{name} {found!r:.120} in place of {wanted!r:.120}"
        for name, (wanted, found) in pairs.items()
        if wanted is not None and found != wanted
    ]
    if differing and (error := result.get("error")):
        differing.append(str(error)[:200])
    return ", ".join(differing)


def _evidence(found: list[str]) -> str:
    shown = "; ".join(sorted(found)[:_SHOWN])
    more = len(found) - _SHOWN
    return f"{len(found)}: {shown}" + (f"; and {more} more" if more > 0 else "")


_RULES: dict[str, Callable[[Records, int], Iterator[str]]] = {
    "no job is lost": lost,
    "no result without a job": unexpected,
    "no result ever changes": changed,
    "each result is the program's": wrong,
    "the progress lines tell the results and nothing else": contradicted,
    "the progress lines tell all results": untold,
    "no healthy job is given up": unhealthily_ended,
    "each dead letter has a result": unaccounted_dead_letters,
    "no message is left": left_in_the_queue,
    "no session is left": sessions_left,
    "no permit is left": permits_left,
    "never more sessions than the bound": over_the_bound,
    "each worker that is asked to stop ends with status 0": bad_exits,
    "no worker fails in a way of its own": defects,
}
