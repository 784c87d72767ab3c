"""Whether services are worth calling: after failures in a row only probes are let through."""

import asyncio
from itertools import pairwise

import pytest

from worker.breaker import BETWEEN_PROBES_SECONDS, LONGEST_PAUSE_SECONDS, Breaker
from worker.vitals import Vitals

pytestmark = pytest.mark.usefixtures("alone")
STOP = asyncio.Event


def opened() -> Breaker:
    breaker = Breaker("services", Vitals())
    for number in range(5):
        breaker.failed(f"job {number % 2}", "503")
    return breaker


def time() -> float:
    return asyncio.get_running_loop().time()


async def probed(breaker: Breaker) -> float:
    """Wait for a probe's turn; when it came."""
    while not breaker.is_turn():
        await breaker.change(STOP())
    return time()


async def test_failures_of_several_parties_in_a_row_open_it_and_a_success_closes_it() -> None:
    vitals = Vitals()
    breaker = Breaker("services", vitals)
    vitals.started()
    for number in range(5):
        assert breaker.is_closed
        breaker.failed(f"job {number}", "503")
    assert (breaker.is_closed, vitals.ready()) == (False, ["services: 503"])
    breaker.worked("job 9")
    assert (breaker.is_closed, vitals.ready()) == (True, [])


async def test_one_poisonous_job_alone_does_not_open_it() -> None:
    breaker = Breaker("services", Vitals())
    for _ in range(100):
        breaker.failed("poison", "500")
    assert breaker.is_closed


async def test_failures_among_successes_do_not_open_it() -> None:
    breaker = Breaker("services", Vitals())
    for number in range(100):
        breaker.failed(f"job {number}", "503")
        if number % 4 == 3:
            breaker.worked("another")
    assert breaker.is_closed


async def test_while_it_is_open_probes_come_one_at_a_time_and_further_and_further_apart() -> None:
    breaker, turns = opened(), [time()]
    for _ in range(30):
        turns.append(await probed(breaker))
        breaker.failed("probe", "503")
    pauses = [later - earlier for earlier, later in pairwise(turns)]
    assert 0.5 <= pauses[0] <= 1
    assert all(LONGEST_PAUSE_SECONDS / 2 <= pause <= LONGEST_PAUSE_SECONDS for pause in pauses[6:])


async def test_a_probe_that_takes_long_without_bad_news_is_followed_by_another() -> None:
    breaker = opened()
    first = await probed(breaker)
    assert await probed(breaker) - first == pytest.approx(BETWEEN_PROBES_SECONDS)


async def test_failures_of_many_within_one_pause_do_not_prolong_it() -> None:
    breaker = opened()
    for number in range(50):
        breaker.failed(f"job {number}", "503")
    assert await probed(breaker) <= 1


async def test_who_waits_for_a_turn_is_let_through_when_it_closes() -> None:
    breaker = opened()
    for _ in range(8):
        await probed(breaker)
        breaker.failed("probe", "503")
    began = time()
    waiting = asyncio.create_task(breaker.change(STOP()))
    await asyncio.sleep(1)
    breaker.worked("job")
    await waiting
    assert time() - began == 1
    assert breaker.is_turn()


async def test_who_waits_for_a_turn_wakes_at_a_stop() -> None:
    breaker, stop = opened(), asyncio.Event()
    asyncio.get_running_loop().call_later(0.1, stop.set)
    await breaker.change(stop)
    assert time() == pytest.approx(0.1)


async def test_it_tells_a_party_that_fails_alone_from_an_outage() -> None:
    breaker = Breaker("services", Vitals())
    assert not breaker.serves_others("poison")
    for number in range(5):
        breaker.worked(f"job {number}")
    assert breaker.serves_others("poison")
    breaker.failed("poison", "500")
    assert not breaker.serves_others("poison"), "nothing was served since"
    for number in range(8):
        breaker.worked(f"job {number}")
    assert breaker.serves_others("poison")
    for number in range(4):
        breaker.failed(f"job {number}", "500")
    assert not breaker.serves_others("poison")
