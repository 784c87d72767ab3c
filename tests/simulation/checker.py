"""Accounts for every job and every message of a simulation: what was counted, and what must not have been."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

from tests.simulation.weather import HOT_WINDOW_SECONDS, StormyCalls
from worker.local.broker.queue_rules import MAX_DELIVERY_COUNT_EXCEEDED

if TYPE_CHECKING:
    from tests.simulation.fleet import Run
    from tests.simulation.scenario import SimJob
    from tests.unit.core.fake_pool import Executed
    from tests.unit.core.world import Process
    from worker.local.broker.values import Message

PROMISES = (
    "lost",
    "changed",
    "healthy dead-lettered",
    "dead letter without a result",
    "unaccounted",
    "unfinished",
    "over the bound",
    "attempt spent in an outage",
)  # the tallies show these even when none was broken
MOST_DELIVERIES_IN_AN_OUTAGE = 2
FAILED_CALLS_A_SECOND = 2.0  # of one slot, over ``HOT_WINDOW_SECONDS``; more is a hot loop


@dataclass
class Verdict:
    """What came of a simulation; without violations all promises were kept."""

    tallies: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)

    def broken(self, promise: str, detail: str) -> None:
        self.tallies[promise] += 1
        self.violations.append(f"{promise}: {detail}")


def judge(run: Run) -> Verdict:
    verdict = Verdict()
    _count(run, verdict)
    for job in run.scenario.jobs:
        _job(run, job, verdict)
    _messages(run, verdict)
    _executions(run, verdict)
    _processes(run, verdict)
    return verdict


def _count(run: Run, verdict: Verdict) -> None:
    verdict.tallies.update(
        seeds=1,
        points=sum(calls.steps for calls in run.calls),
        jobs=len(run.scenario.jobs),
        messages=len(run.world.queue.sent),
        kills=run.kills,
        faults=sum(calls.failed.total() for calls in run.calls),
        virtual_minutes=round(run.seconds / 60),
        **dict.fromkeys(PROMISES, 0),
    )


def _job(run: Run, job: SimJob, verdict: Verdict) -> None:
    if job.kind == "invalid":
        return  # its result bears the message's number; see _dead_letter
    blob = f"results/default/{job.id}/result.json"
    commits = run.account.commits.get(blob, [])
    if not commits:
        verdict.broken("lost", f"{job.id} ({job.kind}) has no result")
        return
    if len(commits) > 1 or run.account.blobs[blob].etag != commits[0][0]:
        verdict.broken("changed", f"the result of {job.id} was written {len(commits)} times")
    result = json.loads(commits[-1][1])
    if result["status"] != job.status:
        detail = f"{job.id} ({job.kind}) is {result['status']}: {result.get('error')}"
        verdict.broken("wrong status", detail)
    if _is_plain_outage(run) and result["attempts"] > 1:
        verdict.broken("attempt spent in an outage", f"{job.id} took {result['attempts']}")


def _is_plain_outage(run: Run) -> bool:
    """Nothing happens but that a service says no; where no answer comes the program may have run."""
    return run.scenario.profile == "outage" and all(w.fault != "hangs" for w in run.scenario.windows)


def _messages(run: Run, verdict: Verdict) -> None:
    queue = run.world.queue
    settled = {number for number, _, _ in queue.settled}
    by_number = {message.key: message for message in queue.rules.messages.values()}
    healthy = {job.body for job in run.scenario.jobs if job.status == "succeeded" or job.kind == "failing"}
    for number, sent in queue.sent.items():
        message = by_number.get(number)
        if message is None and number not in settled:
            verdict.broken(
                "unaccounted", f"message {number} ({sent.message_id}) is gone without a settlement"
            )
        if message and not message.dead_letter:
            verdict.broken("unfinished", f"message {number} ({sent.message_id}) is still in the queue")
        if message and message.dead_letter:
            _dead_letter(run, message, verdict)
            if sent.body in healthy:
                reason = message.dead_letter.description
                verdict.broken("healthy dead-lettered", f"{sent.message_id}: {reason}")
    _deliveries(run, verdict)
    if not run.finished:
        verdict.broken("unfinished", "work was left when the simulation ended")


def _deliveries(run: Run, verdict: Verdict) -> None:
    """An outage of pool or blobs costs copies, not deliveries, which the queue allows so many of."""
    counts = [count for _, count, _ in run.world.queue.settled]
    is_of_queue = any(window.service == "queue" for window in run.scenario.windows)
    if _is_plain_outage(run) and not is_of_queue and max(counts, default=0) > MOST_DELIVERIES_IN_AN_OUTAGE:
        verdict.broken("delivered again and again in an outage", f"{max(counts)} times")


def _dead_letter(run: Run, message: Message, verdict: Verdict) -> None:
    sent = run.world.queue.sent[message.key]
    if message.dead_letter and message.dead_letter.reason == MAX_DELIVERY_COUNT_EXCEEDED:
        verdict.broken("buried by the queue", f"{sent.message_id}, after {message.delivery_count} deliveries")
    try:
        names = {json.loads(sent.body or b"")["id"]}
    except ValueError:
        names = {f"message-{sent.history.origin or message.sequence_number}"}
    if not any(f"results/default/{name}/result.json" in run.account.blobs for name in names):
        verdict.broken("dead letter without a result", f"{sent.message_id} ({', '.join(names)})")


def _executions(run: Run, verdict: Verdict) -> None:
    by_job: defaultdict[str, list[Executed]] = defaultdict(list)
    for executed in run.world.pool.executed:
        by_job[executed.program["job"]].append(executed)
    verdict.tallies["executed"] = len(run.world.pool.executed)
    for job in run.scenario.jobs:
        begun = sorted(by_job[job.id], key=lambda executed: executed.began)
        verdict.tallies["executed again"] += max(0, len(begun) - 1)
        parallel = sum(after.began < before.ended for before, after in pairwise(begun))
        verdict.tallies["executed in parallel"] += parallel
        if parallel and run.scenario.profile in ("calm", "kills") and len(job.sends) == 1:
            verdict.broken("parallel without a pause", f"{job.id} ran {parallel} times beside itself")


def _processes(run: Run, verdict: Verdict) -> None:
    for process in run.world.processes:
        _bound(run, process, verdict)
        _heat(process, verdict)
    _fleet_bound(run, verdict)
    _sessions_left(run, verdict)
    if any(run.statuses):
        verdict.broken("worker ended badly", str(run.statuses))
    for each in run.unhandled if not run.kills else ():  # what was under way at a kill has no end
        verdict.broken("unhandled", each)


def _bound(run: Run, process: Process, verdict: Verdict) -> None:
    mine = [each for each in run.world.pool.executed if each.calls is process.calls]
    first = {each.session: each for each in reversed(mine)}.values()
    for each in first:
        held = sum(other.began <= each.began < other.session.gone_at for other in first)
        if held > process.settings.max_sessions:
            verdict.broken("over the bound", f"{held} sessions at {each.began}")


def _fleet_bound(run: Run, verdict: Verdict) -> None:
    """With leases; a process that stood still may make its one call late."""
    first = {each.session: each for each in reversed(run.world.pool.executed)}.values()
    for each in first if run.scenario.leases else ():
        held = sum(other.began <= each.began < other.session.gone_at for other in first)
        if held > max(run.scenario.sizes):
            verdict.tallies["over the fleet's bound"] += 1
            if run.scenario.profile == "leases":
                verdict.broken("over the bound", f"{held} sessions of the fleet at {each.began}")


def _heat(process: Process, verdict: Verdict) -> None:
    assert isinstance(process.calls, StormyCalls)
    most = FAILED_CALLS_A_SECOND * HOT_WINDOW_SECONDS * process.settings.slots
    for window, count in process.calls.failed_at.items():
        if count > most:
            detail = f"{count} failed calls of {process.calls.name} at {window * HOT_WINDOW_SECONDS} s"
            verdict.broken("hot loop", detail)


def _sessions_left(run: Run, verdict: Verdict) -> None:
    dead = {process.calls for process in run.world.processes if process.calls.crashed.is_set()}
    for session in run.world.pool._sessions.values():
        owners = {each.calls for each in run.world.pool.executed if each.session is session}
        verdict.tallies["sessions left by the dead"] += bool(owners & dead)
        refused = any(isinstance(calls, StormyCalls) and calls.failed["release"] for calls in owners)
        if not owners & dead and not refused:
            verdict.broken("session left", f"used at {session.used_at}")
