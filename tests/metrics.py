"""The names that dashboards, alerts and people hold on to."""

METRICS = {
    "jsworker.jobs",
    "jsworker.job.duration",
    "jsworker.phase.duration",
    "jsworker.settlements",
    "jsworker.attempts.lost",
    "jsworker.capacity.waits",
    "jsworker.lock.renewals",
    "jsworker.calls",
    "jsworker.call.duration",
    "jsworker.slots",
    "jsworker.permits",
    "jsworker.sessions",
    "jsworker.queue.oldest.age",
    "jsworker.ready",
    "jsworker.breaker.open",
}
