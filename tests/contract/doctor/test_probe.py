"""What a pool answers is kept for a report that may be sent in, whatever it is."""

from __future__ import annotations

import json

from tests.contract.adapters.scripted_pool import Answer, ScriptedPool
from tests.contract.doctor.entra import Credential, context_of
from worker.doctor.probe import Probe, Reply, probe
from worker.doctor.questions import js_error

GUID = "7e4a0000-0000-4000-8000-00000000000c"


async def broken(_probe: Probe) -> Reply:
    """Is this a question?"""
    raise KeyError("name")


async def test_a_question_that_breaks_is_not_known_and_the_next_is_asked() -> None:
    result = {"stdout": "", "stderr": f"Error at https://own.example/{GUID} doctor-0abc"}
    async with ScriptedPool() as pool:
        pool.plan(Answer(body={"status": "Failed", "result": result}), Answer(204))
        context = context_of(Credential(), pool_endpoint=pool.url)
        replies = await probe(context, (broken, js_error), lambda _id: None)
    assert [reply.id for reply in replies] == ["broken", "js-error"]
    assert replies[0].answer == "not known: KeyError: 'name'"
    assert replies[1].facts == {"stderr": "Error at https://HOST/GUID SESSION"}
    assert GUID not in json.dumps([reply.answer for reply in replies])
