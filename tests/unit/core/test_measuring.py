"""What the metrics of a worker come to, as OpenTelemetry's SDK collects them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import HistogramDataPoint, InMemoryMetricReader, NumberDataPoint

from tests.metrics import METRICS
from tests.unit.core.world import job
from worker.faults import ExecutionLost
from worker.gauges import LiveParts
from worker.observing import Observers
from worker.settings import WorkerSettings
from worker.telemetry.gauging import add_gauges
from worker.telemetry.measuring import CALL_BOUNDS, JOB_BOUNDS, PHASE_BOUNDS, Measurements

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.metrics import Meter

    from tests.unit.core.world import World


class Collected:
    """Metrics as they are exported."""

    def __init__(self) -> None:
        self._reader = InMemoryMetricReader()
        self.provider = MeterProvider([self._reader], shutdown_on_exit=False)
        self.meter: Meter = self.provider.get_meter("tests")

    def read(self) -> dict[str, float]:
        """Numbers by name and attributes; of histograms how many values they have."""
        data = self._reader.get_metrics_data()
        metrics = [
            metric
            for resource in (data.resource_metrics if data else [])
            for scope in resource.scope_metrics
            for metric in scope.metrics
        ]
        return {
            " ".join(
                [
                    metric.name,
                    *sorted(f"{name}={value!s}" for name, value in (point.attributes or {}).items()),
                ]
            ): (point.count if isinstance(point, HistogramDataPoint) else point.value)
            for metric in metrics
            for point in metric.data.data_points
            if isinstance(point, HistogramDataPoint | NumberDataPoint)
        }


@pytest.fixture
def collected() -> Iterator[Collected]:
    collected = Collected()
    yield collected
    collected.provider.shutdown()


@pytest.fixture
def measured(world: World, collected: Collected) -> Collected:
    world.observer = Observers(Measurements(collected.meter, "jobs"))
    return collected


async def test_jobs_their_phases_and_their_messages_are_counted(world: World, measured: Collected) -> None:
    process = world.process()
    process.calls.fail("execute", ExecutionLost("no answer"))
    for number in range(3):
        world.send(job(f"j{number}"))
    world.send(b"no JSON")
    await process.drain()
    found = measured.read()
    assert found == {
        "jsworker.jobs queue=jobs status=succeeded": 3,
        "jsworker.jobs queue=jobs status=rejected": 1,
        "jsworker.job.duration status=succeeded": 3,
        "jsworker.job.duration status=rejected": 1,
        "jsworker.settlements outcome=completed": 3,
        "jsworker.settlements outcome=dead_lettered": 1,
        "jsworker.settlements outcome=rescheduled": 1,
        "jsworker.attempts.lost during_outage=false": 1,
        **{
            f"jsworker.phase.duration phase={phase}": 3
            for phase in ("fetch", "wait", "allocate", "execute", "release", "store")
        },
    }


async def test_nothing_that_a_message_says_becomes_an_attribute(world: World, measured: Collected) -> None:
    world.send(job("canary-1", {}, batch="canary-2", metadata={"canary-3": "canary-4"}))
    world.send(job("canary-5", version="canary-6"))
    await world.process().drain()
    found = measured.read()
    assert len(found) > 1
    assert not [name for name in found if "canary" in name]


async def test_the_only_queue_is_named_as_in_the_settings_and_others_by_themselves(
    collected: Collected, world: World
) -> None:
    world.send(job())
    await world.process().drain()
    measurements, result = Measurements(collected.meter, "first"), world.result()
    measurements.committed(result, "an attempt", "")
    measurements.committed(result, "a dead letter", "second")
    found = collected.read()
    assert found["jsworker.jobs queue=first status=succeeded"] == 1
    assert found["jsworker.jobs queue=second status=succeeded"] == 1


async def test_gauges_are_read_when_they_are_collected_and_one_that_is_not_known_is_absent(
    world: World, collected: Collected
) -> None:
    process, ages = world.process(max_sessions=2), {"jobs": 12.0}
    live = LiveParts(process.vitals, process.permits, process.leases, process.worker)
    add_gauges(collected.meter, live.read, lambda: ages)
    found = collected.read()
    assert found["jsworker.permits state=held"] == 2
    assert found["jsworker.sessions state=quarantined"] == 0
    assert found["jsworker.slots state=busy"] == 0
    assert found["jsworker.ready"] == 0
    assert found["jsworker.queue.oldest.age queue=jobs"] == 12
    process.vitals.started()
    ages.clear()
    found = collected.read()
    assert found["jsworker.ready"] == 1
    assert "jsworker.queue.oldest.age queue=jobs" not in found


async def test_all_metrics_have_the_names_that_are_documented(world: World, measured: Collected) -> None:
    process = world.process()
    process.calls.fail("execute", ExecutionLost("no answer"))
    world.send(job(program={"seconds": 100}))
    await process.drain()
    live = LiveParts(process.vitals, process.permits, process.leases, process.worker)
    add_gauges(measured.meter, live.read, lambda: {"jobs": 0.0})
    world.observer.refused("pool")
    world.observer.called("pool", "execute", "ok", 0.5)
    names = {name.split(" ")[0] for name in measured.read()}
    assert names == METRICS


def test_buckets_reach_as_far_as_what_they_are_for() -> None:
    longest = WorkerSettings.model_fields["max_timeout_seconds"].default
    assert CALL_BOUNDS[-1] >= longest
    assert JOB_BOUNDS[-1] >= longest + WorkerSettings.model_fields["wait_in_hand_seconds"].default
    for bounds in (CALL_BOUNDS, JOB_BOUNDS, PHASE_BOUNDS):
        assert list(bounds) == sorted(set(bounds))
