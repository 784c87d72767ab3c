"""What goes wrong is drawn from the seed, and everything has its turn."""

from random import Random

import pytest

from tests.chaos.jobs import plan
from tests.chaos.schedule import Phase, schedule
from worker.local.faults import Faults

SECONDS = 150.0
LOCK_SECONDS = 8.0


def drawn(seed: int, seconds: float = SECONDS) -> list[Phase]:
    return schedule(Random(seed), seconds, LOCK_SECONDS)  # noqa: S311 - no secret depends on it


def test_the_same_seed_draws_the_same_jobs_and_the_same_faults() -> None:
    assert (drawn(7), plan(Random(7), 200)) == (drawn(7), plan(Random(7), 200))  # noqa: S311 - as above
    assert drawn(7) != drawn(8)


@pytest.mark.parametrize("seed", range(20))
def test_a_long_run_has_every_fault_and_ends_quietly(seed: int) -> None:
    phases = drawn(seed)
    assert _names(phases) == _names(drawn(seed, 10 * SECONDS))
    assert (phases[-1].names, phases[-1].faults, phases[-1].blows) == ((), {}, ())


@pytest.mark.parametrize("seed", range(20))
def test_the_local_stack_knows_every_switch(seed: int) -> None:
    for phase in drawn(seed):
        assert Faults.model_validate(phase.faults)


def test_every_kind_of_job_comes_in_a_short_run() -> None:
    short, long = (plan(Random(1), count) for count in (120, 2000))  # noqa: S311 - as above
    assert {job.kind for job in short} == {job.kind for job in long}


def _names(phases: list[Phase]) -> set[str]:
    return {name for phase in phases for name in phase.names}
