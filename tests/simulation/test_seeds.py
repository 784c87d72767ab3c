"""Whatever happens: nothing lost, nothing twice, nothing healthy buried. One test for each seed.

``JSWORKER_SIMULATION_SEEDS`` names others than those of every run, as in ``1000-1999``.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.simulation.__main__ import seeds_of
from tests.simulation.checker import judge
from tests.simulation.fleet import simulate
from tests.simulation.scenario import scenario

if TYPE_CHECKING:
    from collections import Counter

SEEDS = seeds_of(os.environ.get("JSWORKER_SIMULATION_SEEDS", "0-206"))


@pytest.mark.parametrize("seed", SEEDS)
def test_a_fleet_keeps_its_promises_under_every_fault(seed: int, total: Counter[str]) -> None:
    verdict = judge(simulate(scenario(seed)))
    total.update(verdict.tallies)
    assert verdict.violations == []


@pytest.mark.parametrize("seed", [3, 7])
def test_a_seed_takes_the_same_course_again(seed: int) -> None:
    courses = [judge(simulate(scenario(seed))).tallies for _ in range(2)]
    assert courses[0] == courses[1]
