from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from worker.bounds import Bounds
from worker.inputs import Run
from worker.program import EXECUTION_SECONDS, MAX_RUNS, STARTUP_SECONDS, growing, packed

LIMITS = st.floats(0.1, 205)


def runs(limits: list[float]) -> list[Run]:
    return [Run(Bounds(seconds, 256, 1024), args=(str(index),)) for index, seconds in enumerate(limits)]


@given(st.lists(LIMITS, min_size=1, max_size=200))
def test_all_runs_are_packed_in_their_order_within_the_platforms_limit(limits: list[float]) -> None:
    wanted = runs(limits)
    packs = list(packed(wanted))
    assert [run for pack in packs for run in pack] == wanted
    for pack in packs:
        seconds = STARTUP_SECONDS + sum(run.bounds.timeout_seconds for run in pack)
        assert 1 <= len(pack) <= MAX_RUNS
        assert seconds < 220
        assert len(pack) == 1 or seconds <= 210


@given(st.lists(LIMITS, min_size=1, max_size=200))
def test_no_execution_has_room_for_the_first_run_of_the_next(limits: list[float]) -> None:
    packs = list(packed(runs(limits)))
    for pack, following in pairwise(packs):
        seconds = sum(run.bounds.timeout_seconds + 0.2 for run in [*pack, following[0]])
        assert seconds > EXECUTION_SECONDS or len(pack) == MAX_RUNS


def test_many_short_runs_are_a_few_executions() -> None:
    assert [len(pack) for pack in packed(runs([1.0] * 120))] == [50, 50, 20]


def test_where_the_first_failure_ends_all_executions_grow() -> None:
    assert [len(pack) for pack in packed(runs([1.0] * 150), growing())] == [4, 8, 16, 32, 50, 40]


@given(st.lists(LIMITS, min_size=1, max_size=200))
def test_growing_executions_keep_the_platforms_limit_too(limits: list[float]) -> None:
    wanted = runs(limits)
    packs = list(packed(wanted, growing()))
    assert [run for pack in packs for run in pack] == wanted
    assert all(len(pack) == 1 or sum(run.bounds.timeout_seconds for run in pack) <= 202 for pack in packs)
