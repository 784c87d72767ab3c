"""What a worker tells of its jobs, and that nobody who listens can do them any harm."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.unit.core.world import job
from worker.faults import BlobMissing, CapacityFault, ExecutionLost, InfrastructureFault, LockLost
from worker.observing import Call, Observers
from worker.settlement import Complete

if TYPE_CHECKING:
    import structlog

    from tests.unit.core.world import World
    from worker.delivery import Delivery, Renewal
    from worker.observing import Begun, Outcome, Resource, Service
    from worker.result import Result
    from worker.settlement import Settlement


class Notes:
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[object, ...]] = []

    def began(self, _delivery: Delivery, attempt: Begun) -> None:
        self.told.append(("began", attempt.job_id))

    def committed(self, result: Result, _attempt: str, _queue: str) -> None:
        self.told.append(("committed", result.id, result.status))

    def settled(self, _delivery: Delivery, _settlement: Settlement, outcome: Outcome) -> None:
        self.told.append(("settled", outcome))

    def attempt_lost(self, _delivery: Delivery, *, during_outage: bool) -> None:
        self.told.append(("attempt_lost", during_outage))

    def lock_renewal(self, _delivery: Delivery, outcome: Renewal) -> None:
        self.told.append(("lock_renewal", outcome))

    def refused(self, resource: Resource) -> None:
        self.told.append(("refused", resource))

    def called(self, service: Service, operation: str, result: str, seconds: float) -> None:
        assert seconds >= 0
        self.told.append(("called", service, operation, result))


class Broken(Notes):
    """Fails whatever it is told."""

    @property
    def told(self) -> list[tuple[object, ...]]:
        raise ZeroDivisionError

    @told.setter
    def told(self, _: list[tuple[object, ...]]) -> None:
        """Keeps nothing."""


@pytest.fixture
def notes(world: World) -> Notes:
    notes = Notes()
    world.observer = Observers(notes)
    return notes


async def test_a_job_is_told_of_from_its_beginning_to_its_settlement(world: World, notes: Notes) -> None:
    world.send(job())
    await world.process().drain()
    assert notes.told == [("began", "j1"), ("committed", "j1", "succeeded"), ("settled", "completed")]


async def test_a_job_that_is_given_up_is_told_of_though_it_was_never_valid(
    world: World, notes: Notes
) -> None:
    world.send(b"no JSON")
    await world.process().drain()
    assert notes.told == [
        ("began", "message-1"),
        ("committed", "message-1", "rejected"),
        ("settled", "dead_lettered"),
    ]


async def test_a_lost_attempt_and_a_full_pool_are_told_of_and_a_redelivery_that_finds_the_result_is_no_job(
    world: World, notes: Notes
) -> None:
    process = world.process()
    process.calls.fail("execute", CapacityFault("full"), ExecutionLost("no answer"))
    process.calls.fail("settle", None, LockLost("gone"))
    world.send(job())
    await process.drain()
    assert notes.told == [
        ("began", "j1"),
        ("refused", "pool"),
        ("attempt_lost", False),
        ("settled", "rescheduled"),
        ("began", "j1"),
        ("committed", "j1", "succeeded"),
        ("settled", "uncertain"),
        ("began", "j1"),
        ("settled", "completed"),
    ]


async def test_renewals_of_locks_are_told_of_and_their_loss(world: World, notes: Notes) -> None:
    process = world.process()
    process.calls.fail("renew", None, InfrastructureFault("503"), None, LockLost("gone"))
    world.send(job(program={"seconds": 100}))
    await process.drain()
    renewals = [outcome for what, outcome in [one[:2] for one in notes.told] if what == "lock_renewal"]
    assert renewals[:4] == ["renewed", "failed", "renewed", "lost"]
    assert ("settled", "let_go") in notes.told


async def test_who_fails_at_listening_is_logged_once_and_neither_jobs_nor_others_suffer(
    world: World, quiet: list[structlog.typing.EventDict]
) -> None:
    notes = Notes()
    world.observer = Observers(Broken(), notes)
    world.send(job())
    await world.process().drain()
    assert [type(settlement) for _, _, settlement in world.queue.settled] == [Complete]
    assert ("settled", "completed") in notes.told
    assert [event["observer"] for event in quiet if event["event"] == "observer_failed"] == ["Broken"]


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (None, [("called", "blob", "read", "ok")]),
        (GeneratorExit, [("called", "blob", "read", "ok")]),
        (BlobMissing, [("called", "blob", "read", "BlobMissing")]),
        (CapacityFault, [("called", "blob", "read", "CapacityFault"), ("refused", "storage")]),
    ],
)
def test_a_call_is_told_by_what_it_ended_in(
    error: type[BaseException] | None, told: list[tuple[object, ...]]
) -> None:
    notes = Notes()
    call = Call(notes, "blob", "read", "storage")
    call.__enter__()
    call.__exit__(error, None, None)
    assert notes.told == told
