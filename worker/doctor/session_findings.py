"""What the doctor says of one session's life."""

from __future__ import annotations

from typing import TYPE_CHECKING

from worker.doctor.environment import pool_change
from worker.doctor.finding import Finding
from worker.doctor.pool_wire import NEWEST

if TYPE_CHECKING:
    from worker.doctor.pool_wire import Answer
    from worker.settings import WorkerSettings

COOLDOWN_TOLERANCE_SECONDS = 5.0


def shape(*, is_wrapped: bool) -> list[Finding]:
    """A warning, if executions are wanted in the old shape."""
    if not is_wrapped:
        return []
    message = "the pool wants executions in the shape of the first preview; the worker finds out by itself"
    remedy = f"Have the pool made anew, of the type NodeLTS, and use JSWORKER_POOL_API_VERSION={NEWEST}"
    return [Finding("pool-body-shape", "pool", "warning", message, remedy)]


def allocation(seconds: float, limit: float) -> list[Finding]:
    """A warning, if it took longer than is usual to get a session."""
    if seconds <= limit:
        return []
    message = f"it took {seconds:.1f} s to get a new session; each job with a fresh one waits as long"
    remedy = (
        "Keep sessions from job to job: export JSWORKER_SESSION_POLICY=keyed; or ask for a pool elsewhere"
    )
    facts = {"allocation_seconds": round(seconds, 3)}
    return [Finding("pool-allocation", "pool", "warning", message, remedy, facts)]


def egress(reached: object, endpoint: str) -> Finding:
    """Whom programs get through to, as one of them said."""
    if not isinstance(reached, list):
        message = "the program that was to try the network said nothing"
        return Finding("pool-egress", "pool", "unknown", message)
    if not reached:
        return Finding("pool-egress", "pool", "ok", "programs get through to nobody outside")
    names = [str(name) for name in reached]
    return Finding(
        "pool-egress",
        "pool",
        "warning",
        f"programs can connect to {', '.join(names)}: untrusted code can send out what it is given",
        pool_change("--network-status", "EgressDisabled", endpoint),
        {"reached": names},
    )


def cooldown(seconds: float | None, given: float) -> Finding:
    """The pool's cooldown beside that of the settings."""
    if seconds is None:
        return Finding("pool-cooldown", "pool", "info", "the pool does not say when a session expires")
    facts = {"cooldown_seconds": round(seconds), "setting_seconds": given}
    if abs(seconds - given) <= COOLDOWN_TOLERANCE_SECONDS:
        return Finding("pool-cooldown", "pool", "ok", f"the cooldown is {seconds:.0f} s", facts=facts)
    message = f"the pool's cooldown is {seconds:.0f} s, and SESSION_COOLDOWN_SECONDS says {given:g}"
    remedy = f"export JSWORKER_SESSION_COOLDOWN_SECONDS={seconds:.0f}"
    return Finding("pool-cooldown", "pool", "warning", message, remedy, facts)


def released(seconds: float, answer: Answer, *, is_gone: bool) -> Finding:
    """How soon a session was gone that was deleted."""
    facts = {"delete_seconds": round(answer.seconds, 3), "gone_seconds": round(seconds, 3)}
    if is_gone:
        message = f"a session is deleted, and gone from the pool's records, within {seconds:.1f} s"
        return Finding("pool-release", "pool", "ok", message, facts=facts)
    message = f"a deleted session is still there after {seconds:.0f} s"
    remedy = "Set JSWORKER_MAX_SESSIONS lower than the pool's maximum, by the sessions on their way out"
    return Finding("pool-release", "pool", "warning", message, remedy, facts)


def undeletable(answer: Answer, settings: WorkerSettings) -> Finding:
    """That each session occupies the pool for the cooldown, and what that comes to."""
    cooldown = settings.session_cooldown_seconds
    a_minute = settings.max_sessions * 60 / max(cooldown, 1)
    return Finding(
        "pool-release",
        "pool",
        "failed",
        f"the pool does not delete sessions ({answer.status}): with {settings.max_sessions} sessions and a "
        f"cooldown of {cooldown:g} s it serves at most {a_minute:.1f} jobs a minute that want a fresh one",
        f"export JSWORKER_POOL_API_VERSION={NEWEST}; if it is that already: export "
        "JSWORKER_SESSION_POLICY=shared, where programs may see what others leave, or a shorter cooldown",
        {"status": answer.status},
    )
