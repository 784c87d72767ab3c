"""The watchdog: an empty queue is told from one that hangs, and those that wait for nothing are told so."""

import asyncio
from collections.abc import AsyncIterator
from itertools import pairwise

import pytest
from structlog.typing import EventDict

from worker.faults import CapacityFault, ConfigurationFault, InfrastructureFault, ServiceFault
from worker.vitals import Vitals
from worker.watchdog import QueueWatch, Times, Watchdog

pytestmark = pytest.mark.usefixtures("alone")
TIMES = Times(quiet=30, probe=10)


class Service:
    """Answers probes, or does not; notes when it was asked."""

    def __init__(self) -> None:
        self.fault: ServiceFault | None = None
        self.asked_at: list[float] = []

    async def probe(self) -> None:
        self.asked_at.append(asyncio.get_running_loop().time())
        await asyncio.sleep(TIMES.probe if self.fault else 0.1)
        if self.fault:
            raise self.fault


class Watched:
    """A queue under watch."""

    def __init__(self) -> None:
        self.service, self.vitals = Service(), Vitals()
        self.vitals.started()
        self.watch = QueueWatch(self.vitals, TIMES)
        self.watchdog = Watchdog(self.watch, self.service.probe)

    async def busy(self, seconds: float) -> None:
        """Messages come and go."""
        for _ in range(int(seconds / 5)):
            await asyncio.sleep(5)
            self.watch.heard()


@pytest.fixture
async def watched() -> AsyncIterator[Watched]:
    watched = Watched()
    task = asyncio.create_task(watched.watchdog.run())
    yield watched
    assert not task.done()
    task.cancel()
    await asyncio.wait({task})


async def test_a_queue_that_is_heard_of_is_not_probed(watched: Watched) -> None:
    await watched.busy(600)
    assert watched.service.asked_at == []


async def test_a_quiet_queue_is_probed_each_half_minute_and_found_to_be_empty(
    watched: Watched, quiet: list[EventDict]
) -> None:
    await asyncio.sleep(600)
    gaps = [later - sooner for sooner, later in pairwise([0.0, *watched.service.asked_at])]
    assert 15 <= len(gaps) <= 20
    assert all(30 <= gap <= 40 for gap in gaps)
    assert (watched.vitals.ready(), watched.watch.generation, quiet) == ([], 0, [])


async def test_a_queue_that_hangs_is_found_out_within_a_minute_and_its_links_are_built_anew(
    watched: Watched, quiet: list[EventDict]
) -> None:
    await watched.busy(100)
    watched.service.fault = InfrastructureFault("no answer within 10 s")
    await asyncio.sleep(50)
    assert watched.watch.generation == 1
    assert watched.vitals.ready() == ["queue: no answer within 10 s"]
    assert watched.vitals.live() == []
    await asyncio.sleep(300)
    assert watched.watch.generation > 5
    assert [event["event"] for event in quiet] == ["queue_silent", "part_ill"]
    watched.service.fault = None
    await asyncio.sleep(50)
    generation = watched.watch.generation
    assert watched.vitals.ready() == []
    assert quiet[-1]["event"] == "part_well"
    await asyncio.sleep(300)
    assert watched.watch.generation == generation


async def test_a_link_that_answers_ends_the_alarm_before_the_next_probe(watched: Watched) -> None:
    watched.service.fault = InfrastructureFault("no answer within 10 s")
    await asyncio.sleep(60)
    assert watched.vitals.ready() != []
    watched.watch.heard()
    assert watched.vitals.ready() == []


async def test_a_refusal_is_an_answer_and_says_what_to_do(watched: Watched) -> None:
    watched.service.fault = ConfigurationFault("there is no queue", "Create it")
    await asyncio.sleep(60)
    assert watched.watch.generation == 0
    assert watched.vitals.ready() == ["queue: there is no queue. Create it"]


async def test_a_refused_call_of_a_receiver_makes_the_worker_not_ready_and_other_faults_do_not() -> None:
    watched = Watched()
    watched.watch.failed(InfrastructureFault("reset"))
    watched.watch.failed(CapacityFault("busy"))
    watched.watch.failed(asyncio.CancelledError())
    assert watched.vitals.ready() == []
    watched.watch.failed(ConfigurationFault("no access", "Give the role"))
    assert watched.vitals.ready() == ["queue: no access. Give the role"]
    watched.watch.heard()
    assert watched.vitals.ready() == []


async def test_a_watchdog_that_has_died_is_missed(watched: Watched) -> None:
    watched.vitals.beat("watchdog")
    await asyncio.sleep(1000)
    assert watched.vitals.live() == []
    dead = Watched()
    dead.vitals.expect("watchdog", 80)
    await asyncio.sleep(100)
    assert dead.vitals.live() == ["watchdog: not heard of for 100 s"]


async def test_a_watchdog_stuck_in_its_probe_is_missed() -> None:
    watched = Watched()
    task = asyncio.create_task(Watchdog(watched.watch, asyncio.Event().wait).run())  # type: ignore[arg-type] # a bool
    await asyncio.sleep(200)
    assert watched.vitals.live() == ["watchdog: not heard of for 170 s"]
    task.cancel()
    await asyncio.wait({task})
    assert watched.vitals.live() == []


async def test_parts_that_fall_silent_are_logged_though_nobody_probes_the_worker(
    watched: Watched, quiet: list[EventDict]
) -> None:
    watched.vitals.expect("slot-0", 60)
    await asyncio.sleep(100)
    assert [(event["event"], event["part"]) for event in quiet] == [("part_ill", "slot-0")]


async def test_what_is_wrong_with_a_queue_is_said_once(watched: Watched, quiet: list[EventDict]) -> None:
    for _ in range(3):
        watched.watch.warn_once("lock_short", lock_seconds=5)
        watched.watch.warn_once("time_to_live_short", seconds=60)
    assert [event["event"] for event in quiet] == ["lock_short", "time_to_live_short"]
