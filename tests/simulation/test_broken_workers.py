"""The checker finds fault with workers that are known to be wrong: what it does not find is not there.

Each goes through the seeds of the profile that asks for what it lacks, until the checker finds it out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.simulation.broken_workers import (
    AbandonsOnFaults,
    BuriesWithoutAResult,
    CompletesBeforeTheCommit,
    DoesNotFence,
    KeepsOnWithoutALock,
    NeverSettlesInvalidMessages,
    OverwritesResults,
    ReleasesPermitsTooSoon,
    SendsCopiesUnderTheSameId,
)
from tests.simulation.checker import judge
from tests.simulation.fleet import simulate
from tests.simulation.scenario import PROFILES, scenario

if TYPE_CHECKING:
    from tests.simulation.deployed import Deployed

SEEDS = range(207)


@pytest.mark.parametrize(
    ("worker", "profile", "promise"),
    [
        (AbandonsOnFaults, "mixed", "healthy dead-lettered"),
        (OverwritesResults, "losses", "changed"),
        (SendsCopiesUnderTheSameId, "losses", "lost"),
        (CompletesBeforeTheCommit, "kills", "lost"),
        (ReleasesPermitsTooSoon, "calm", "over the bound"),
        (DoesNotFence, "kills", "parallel without a pause"),
        (DoesNotFence, "leases", "over the bound"),
        (KeepsOnWithoutALock, "pauses", "changed"),
        (NeverSettlesInvalidMessages, "calm", "buried by the queue"),
        (BuriesWithoutAResult, "poison", "dead letter without a result"),
    ],
)
def test_the_checker_finds_out_a_worker_that(worker: type[Deployed], profile: str, promise: str) -> None:
    seeds = (seed for seed in SEEDS if PROFILES[seed % len(PROFILES)] == profile)
    assert any(
        violation.startswith(f"{promise}:")
        for seed in seeds
        for violation in judge(simulate(scenario(seed), worker)).violations
    )
