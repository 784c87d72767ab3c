"""The worker's gauges, read from one snapshot when somebody collects."""

from __future__ import annotations

from typing import TYPE_CHECKING

from worker.telemetry.instruments import gauge

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from opentelemetry.metrics import Meter

    from worker.gauges import Gauges


def add_gauges(meter: Meter, read: Callable[[], Gauges], ages: Callable[[], Mapping[str, float]]) -> None:
    """Make the gauges of a worker, and that of how old its queues are, in seconds by their names."""

    def slots() -> Iterator[tuple[str, float]]:
        found = read().slots
        yield from (("open", found.open), ("busy", found.busy))

    def permits() -> Iterator[tuple[str, float]]:
        found = read().permits
        yield from (("held", found.held), ("limit", found.limit))
        yield from (("in_use", found.in_use), ("waiting", found.waiting))

    def sessions() -> Iterator[tuple[str, float]]:
        found = read().sessions
        yield from (("allocated", found.allocated), ("busy", found.busy))
        yield from (("kept", found.kept), ("quarantined", found.quarantined))

    def breakers() -> Iterator[tuple[str, float]]:
        yield from ((part, int(is_open)) for part, is_open in read().breakers.items())

    gauge(meter, "jsworker.slots", "{slot}", "Slots, and those with a message.", "state", slots)
    gauge(meter, "jsworker.permits", "{permit}", "Session permits of this worker.", "state", permits)
    gauge(meter, "jsworker.sessions", "{session}", "Sessions that it may occupy.", "state", sessions)
    gauge(
        meter, "jsworker.ready", "", "Whether it is to be counted on.", "", lambda: [("", int(read().ready))]
    )
    gauge(meter, "jsworker.breaker.open", "", "Whether it takes less on purpose.", "part", breakers)
    described = "Age of a queue's oldest message, in hand or not."
    gauge(meter, "jsworker.queue.oldest.age", "s", described, "queue", lambda: ages().items())
