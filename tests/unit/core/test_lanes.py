"""Several queues in one worker: who is tried next, by weight, and that nobody is left out."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress
from itertools import combinations, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.breaker import Breaker
from worker.lane import Lane, first_name, parse_lanes
from worker.lanes import LONGEST_SCOUT_SECONDS, SCOUT_SECONDS, Choice, Lanes
from worker.vitals import Vitals

WEIGHTS = st.lists(st.integers(1, 100), min_size=1, max_size=8)
SCRIPTS = st.lists(st.lists(st.booleans(), min_size=8, max_size=8), max_size=60)


def lanes_of(*weights: int) -> Lanes:
    lanes = [Lane(f"q{number}", weight) for number, weight in enumerate(weights)]
    breakers = [Breaker(lane.name, Vitals(), failures=1, parties=1) for lane in lanes]
    return Lanes(lanes, breakers)


def tried(lanes: Lanes, full: set[int] | frozenset[int]) -> Choice:
    """One try from choice to end, of which something comes if the queue is one of the full ones."""
    choice = lanes.choose()
    assert choice
    outcome = lanes.found if choice.index in full else lanes.empty
    outcome(choice.index)
    lanes.ended(choice.index)
    return choice


def filled(*weights: int) -> Lanes:
    """All of them are known to have messages, and none has had more than the others."""
    lanes = lanes_of(*weights)
    for index in range(len(weights)):
        lanes.found(index)
    return lanes


def deviations(served: list[int], weights: list[int]) -> list[float]:
    """By how much each queue's count differs from its share."""
    counts, whole = Counter(served), sum(weights)
    return [abs(counts[i] - len(served) * weight / whole) for i, weight in enumerate(weights)]


@given(WEIGHTS)
async def test_while_all_have_messages_each_is_within_one_of_its_share(weights: list[int]) -> None:
    lanes, everyone = filled(*weights), frozenset(range(len(weights)))
    served = [tried(lanes, everyone).index for _ in range(3 * sum(weights))]
    for count in range(len(served)):
        assert max(deviations(served[:count], weights)) < 1
    assert Counter(served) == {index: 3 * weight for index, weight in enumerate(weights)}


@pytest.mark.parametrize("weights", [[4, 1], [3, 2], [1, 1, 1], [5, 1], [7, 7]], ids=str)
async def test_of_two_or_equal_queues_any_window_is_within_one_of_the_shares(weights: list[int]) -> None:
    lanes, everyone = filled(*weights), frozenset(range(len(weights)))
    served = [tried(lanes, everyone).index for _ in range(40)]
    for start, end in combinations(range(len(served) + 1), 2):
        assert max(deviations(served[start:end], weights)) <= 1


@given(WEIGHTS, SCRIPTS)
async def test_whatever_came_before_no_queue_with_messages_is_left_out(
    weights: list[int], script: list[list[bool]]
) -> None:
    lanes, everyone = lanes_of(*weights), frozenset(range(len(weights)))
    for step in script:
        tried(lanes, {index for index in everyone if step[index]})
        await asyncio.sleep(SCOUT_SECONDS / 3)
    await asyncio.sleep(LONGEST_SCOUT_SECONDS)
    while not all(state.has_messages for state in lanes._states):
        tried(lanes, everyone)
    served = [tried(lanes, everyone).index for _ in range(4 * sum(weights))]
    for start in range(0, len(served), max(1, len(served) // 20)):
        assert max(deviations(served[start:], weights)) < 2
    assert set(served) == everyone


@given(WEIGHTS, SCRIPTS)
async def test_a_queue_that_always_has_messages_is_served_however_the_others_come_and_go(
    weights: list[int], script: list[list[bool]]
) -> None:
    lanes, last = lanes_of(*weights), len(weights) - 1
    lanes.found(last)
    waited, longest = 0, 2 * sum(weights) // weights[last] + 2 * len(weights) + 2
    for step in script:
        choice = tried(lanes, {last, *(index for index in range(last) if step[index])})
        waited = 0 if choice.index == last else waited + 1
        assert waited <= longest
        await asyncio.sleep(SCOUT_SECONDS / 3)


async def test_an_empty_queue_is_looked_at_by_one_slot_at_a_time_once_a_second() -> None:
    lanes = lanes_of(100, 1)
    lanes.empty(0)
    lanes.found(1)
    scout = lanes.choose()
    assert scout == Choice(0, is_scout=True)
    assert [lanes.choose() for _ in range(50)] == [Choice(1)] * 50
    lanes.empty(0)
    lanes.ended(0)
    assert lanes.choose() == Choice(1)
    await asyncio.sleep(SCOUT_SECONDS)
    assert lanes.choose() == Choice(0, is_scout=True)
    lanes.found(0)
    lanes.ended(0)
    assert lanes.choose() == Choice(0)


async def test_a_queue_whose_messages_others_have_is_looked_at_less_and_less_often() -> None:
    lanes = lanes_of(1, 1)
    lanes.found(1)
    looks = []
    for _ in range(400):
        choice = lanes.choose()
        assert choice
        if choice.is_scout:
            looks.append(asyncio.get_running_loop().time())
            lanes.vain(0)
        lanes.ended(choice.index)
        await asyncio.sleep(0.1)
    gaps = [round(later - sooner) for sooner, later in pairwise(looks)]
    assert gaps[:3] == [2, 4, 4]
    assert max(gaps) == LONGEST_SCOUT_SECONDS


@pytest.mark.parametrize(
    ("weights", "slots", "spread"),
    [
        ((4, 1), 5, {0: 4, 1: 1}),
        ((100, 1), 3, {0: 2, 1: 1}),
        ((1,), 3, {0: 3}),
        ((9, 1, 1), 3, {0: 1, 1: 1, 2: 1}),
    ],
)
async def test_when_all_are_empty_the_slots_spread_by_weight_and_each_has_one(
    weights: tuple[int, ...], slots: int, spread: dict[int, int]
) -> None:
    lanes = lanes_of(*weights)
    choices = [choice for _ in range(slots) if (choice := lanes.choose())]
    assert Counter(choice.index for choice in choices) == spread
    for choice in choices:  # and they stay where they are
        lanes.empty(choice.index)
        lanes.ended(choice.index)
        assert lanes.choose() == choice


async def test_one_slot_alone_goes_round_the_empty_queues() -> None:
    lanes = lanes_of(4, 1, 1)
    seen = []
    for _ in range(6):
        seen.append(tried(lanes, set()).index)
        await asyncio.sleep(1)
    assert sorted(seen) == [0, 0, 1, 1, 2, 2]


async def test_a_queue_that_fails_is_left_to_its_breaker_and_the_others_go_on() -> None:
    lanes = filled(4, 1)
    first = lanes.choose()
    assert first == Choice(0)
    lanes.failed(0, "there is no queue")
    lanes.ended(0)
    assert [tried(lanes, {1}).index for _ in range(20)] == [1] * 20
    await asyncio.sleep(11)
    assert lanes.choose() == Choice(0)
    assert [lanes.choose() for _ in range(20)] == [Choice(1)] * 20


async def test_when_all_fail_there_is_nothing_to_try_until_a_probe_is_due() -> None:
    lanes = lanes_of(1, 1)
    for index in (0, 1):
        lanes.failed(index, "gone")
    assert lanes.choose() is None
    await asyncio.sleep(11)
    assert {lanes.choose(), lanes.choose()} == {Choice(0), Choice(1)}
    assert lanes.choose() is None


def test_lanes_are_written_as_names_with_weights() -> None:
    assert parse_lanes(" urgent:4, jobs ,") == (Lane("urgent", 4), Lane("jobs", 1))
    assert parse_lanes("jobs, events/Subscriptions/run:100")[1].subscription == ("events", "run")
    assert Lane("a/b").subscription is None


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (",", "names no queue"),
        ("a:0", "the weight of 'a' is '0'"),
        ("a:101", "from 1 to 100"),
        ("a:", "the weight of 'a' is ''"),
        ("a:1:2", "'1:2'"),
        ("a:½", "whole number"),
        ("&,a", "'&' is no name of a queue"),
        ("a,A:2", "'a' is named twice"),
        ("t/subscriptions/s,a", "the first must be a queue"),
        (",".join("abcdefghi"), "9 queues are more than 8"),
    ],
)
def test_what_is_wrong_with_lanes_is_said(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        parse_lanes(text)


@given(st.text(alphabet="ab:,/ 019é", max_size=30))
def test_any_text_is_read_or_refused_with_a_reason(text: str) -> None:
    lanes: tuple[Lane, ...] = ()
    with suppress(ValueError):
        lanes = parse_lanes(text)
    assert [lane.name for lane in lanes[:1]] in ([], [first_name(text)])
    assert all(1 <= lane.weight <= 100 for lane in lanes)
