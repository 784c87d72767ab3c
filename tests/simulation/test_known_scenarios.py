"""What simulations have found: each scenario once broke a promise."""

from __future__ import annotations

import json

from tests.simulation.checker import judge
from tests.simulation.fleet import simulate
from tests.simulation.scenario import Event, Scenario, SimJob, Window
from tests.unit.core.world import job


def healthy(job_id: str, seconds: float, at: float = 0.0) -> SimJob:
    body = json.dumps(job(job_id, {"job": job_id, "seconds": seconds})).encode()
    return SimJob(job_id, "healthy", body, ((at, job_id),))


def test_a_job_that_is_alone_in_an_outage_is_not_held_to_be_the_only_one_that_is_failed() -> None:
    """Others were served before the outage: that says nothing of the time since."""
    scenario = Scenario(
        seed=354,
        profile="outage",
        jobs=(*(healthy(f"j{number}", 1) for number in range(8)), healthy("alone", 1, at=160)),
        sizes=(1,),
        clocks_behind=(0.0,),
        windows=(Window("pool", "refused", 150, 1050),),
    )
    assert judge(simulate(scenario)).violations == []


def test_a_job_and_its_copy_do_not_end_each_other_again_and_again() -> None:
    """A copy was sent and its original not completed: both come, and both find the other's session."""
    for seed in range(12):
        scenario = Scenario(
            seed=seed,
            profile="pauses",
            jobs=tuple(healthy(f"j{number}", 100 + number) for number in range(4)),
            sizes=(2, 3),
            clocks_behind=(0.0, 0.0),
            windows=(Window("queue", "lock_refused", 30, 150, 0.7), Window("pool", "lossy", 0, 200, 0.2)),
            events=tuple(Event(60.0 + 50 * number, "pause", number % 2, 40.0) for number in range(6)),
        )
        assert judge(simulate(scenario)).violations == []


def test_an_invalid_message_has_one_result_however_many_copies_it_came_in() -> None:
    scenario = Scenario(
        seed=122,
        profile="outage",
        jobs=(SimJob("j0", "invalid", b"{", ((0.0, "j0"),)), healthy("j1", 1)),
        sizes=(1,),
        clocks_behind=(0.0,),
        windows=(Window("blobs", "refused", 0, 600),),
    )
    run = simulate(scenario)
    assert judge(run).violations == []
    assert sorted(run.account.commits) == [
        "results/default/j1/result.json",
        "results/default/message-1/result.json",
    ]


def test_a_clock_that_is_behind_does_not_make_locks_longer_than_they_are() -> None:
    scenario = Scenario(
        seed=51,
        profile="pauses",
        jobs=tuple(healthy(f"j{number}", 150) for number in range(3)),
        sizes=(2,),
        clocks_behind=(120.0,),
    )
    run = simulate(scenario)
    assert judge(run).violations == []
    assert [count for _, count, _ in run.world.queue.settled] == [0, 0, 0]
