"""Vitals: what makes the worker neither live nor ready, and that changes are told once."""

import asyncio

import pytest
from structlog.typing import EventDict

from worker.vitals import Vitals

pytestmark = pytest.mark.usefixtures("alone")


def told(quiet: list[EventDict]) -> list[tuple[str, str]]:
    return [(event["event"], event["part"]) for event in quiet]


@pytest.fixture
async def vitals() -> Vitals:
    vitals = Vitals()
    vitals.started()
    return vitals


async def test_a_worker_is_ready_from_its_start_to_its_stop_and_live_all_the_time() -> None:
    vitals = Vitals()
    assert (vitals.ready(), vitals.live()) == (["the worker is starting"], [])
    vitals.started()
    assert vitals.ready() == []
    vitals.stopping()
    assert (vitals.ready(), vitals.live()) == (["the worker is stopping"], [])


async def test_a_part_that_is_ill_makes_the_worker_not_ready_and_a_restart_would_not_help(
    vitals: Vitals,
) -> None:
    vitals.ill("queue", "out of reach")
    vitals.ill("breaker", "open")
    assert vitals.ready() == ["queue: out of reach", "breaker: open"]
    assert vitals.live() == []
    vitals.well("queue")
    assert vitals.ready() == ["breaker: open"]


async def test_a_change_is_logged_once_and_the_last_reason_is_shown(
    vitals: Vitals, quiet: list[EventDict]
) -> None:
    vitals.well("queue")
    for reason in ("refused", "reset", "timed out"):
        vitals.ill("queue", reason)
    assert vitals.ready() == ["queue: timed out"]
    vitals.well("queue")
    vitals.well("queue")
    assert told(quiet) == [("part_ill", "queue"), ("part_well", "queue")]


async def test_a_part_that_must_beat_and_does_not_calls_for_a_restart(
    vitals: Vitals, quiet: list[EventDict]
) -> None:
    vitals.expect("slot-1", 60)
    vitals.expect("slot-2", 600)
    await asyncio.sleep(59)
    assert vitals.live() == []
    await asyncio.sleep(2)
    for _ in range(3):
        assert vitals.live() == vitals.ready() == ["slot-1: not heard of for 61 s"]
    vitals.beat("slot-1")
    assert vitals.live() == []
    assert told(quiet) == [("part_ill", "slot-1"), ("part_well", "slot-1")]


async def test_a_part_that_beats_in_time_lives_for_ever(vitals: Vitals) -> None:
    vitals.expect("slot-1", 60)
    for _ in range(100):
        await asyncio.sleep(59)
        vitals.beat("slot-1")
    assert vitals.live() == []


async def test_a_part_that_has_ended_in_order_is_not_missed_and_its_late_beat_does_no_harm(
    vitals: Vitals,
) -> None:
    vitals.expect("slot-1", 60)
    vitals.forget("slot-1")
    vitals.beat("slot-1")
    vitals.forget("slot-1")
    await asyncio.sleep(1000)
    assert vitals.live() == []
