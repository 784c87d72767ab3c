"""The doctor's calls to a pool take no more of an answer, and no longer, than a pool has to say."""

from __future__ import annotations

import pytest

from tests.contract.adapters.scripted_pool import Answer, ScriptedPool
from tests.contract.doctor.entra import Credential, context_of
from worker.doctor import pool_wire
from worker.doctor.pool import allocated, pool_metadata
from worker.doctor.session_answers import execution, said_by
from worker.faults import InfrastructureFault


async def test_of_an_answer_without_end_no_more_is_taken_than_shows_it() -> None:
    async with ScriptedPool() as pool:
        pool.plan(Answer(body=b"x" * 17_000_000))
        with pytest.raises(InfrastructureFault, match="more than 16 MB"):
            await pool_metadata(context_of(Credential(), pool_endpoint=pool.url))


async def test_an_answer_that_trickles_is_not_waited_for_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_wire, "ANSWER_SECONDS", 0.0)
    async with ScriptedPool() as pool:
        pool.plan(Answer(body=b" " * 1000, trickles=True))
        async with pool_wire.wire_of(context_of(Credential(), pool_endpoint=pool.url)) as wire:
            with pytest.raises(InfrastructureFault, match=r"within 0\.3 s"):
                await wire.execute("s", "1", seconds=0.3)


async def test_the_time_of_an_answer_is_that_of_all_of_it() -> None:
    async with ScriptedPool() as pool:
        pool.plan(Answer(body=b"{}   ", trickles=True))
        async with pool_wire.wire_of(context_of(Credential(), pool_endpoint=pool.url)) as wire:
            answer = await wire.get("metadata")
    assert (answer.document(), answer.text) == ({}, "{}   ")
    assert answer.seconds >= 0.4


async def test_no_answer_says_how_its_characters_are_read() -> None:
    async with ScriptedPool() as pool:
        pool.plan(Answer(400, b"no\xff", {"Content-Type": "text/plain; charset=undefined"}))
        async with pool_wire.wire_of(context_of(Credential(), pool_endpoint=pool.url)) as wire:
            assert (await wire.get("metadata")).text == "no\N{REPLACEMENT CHARACTER}"


async def test_a_list_whose_link_is_none_is_a_fault() -> None:
    async with ScriptedPool() as pool:
        pool.plan(Answer(body={"sessions": [], "nextLink": 5}))
        with pytest.raises(InfrastructureFault, match="no link"):
            await allocated(context_of(Credential(), pool_endpoint=pool.url))


@pytest.mark.parametrize("stdout", ['{"cpus": NaN}', '{"cpus": 1e999}', '{"folder": "%s"}' % ("x" * 5000)])
async def test_what_no_program_of_the_doctor_prints_is_no_fact(stdout: str) -> None:
    async with ScriptedPool() as pool:
        pool.plan(Answer(body={"status": "Succeeded", "result": {"stdout": stdout}}))
        context = context_of(Credential(), pool_endpoint=pool.url)
        async with pool_wire.wire_of(context) as wire:
            ran = await execution(context, await wire.execute("s", "1"))
    assert said_by(ran) == {}
