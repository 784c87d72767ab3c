"""What the doctor makes in a pool it deletes again, whatever is answered meanwhile."""

from __future__ import annotations

from contextlib import suppress

import pytest

from tests.contract.adapters.scripted_pool import Answer, ScriptedPool
from tests.contract.doctor.entra import Credential, context_of
from worker.doctor import session_answers
from worker.doctor.pool_wire import wire_of
from worker.doctor.probe import Probe


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_answers, "PAUSES", (0.0, 0.0))


async def deletions(answers: tuple[int, ...], error: Exception | None = None) -> int:
    """How often a session is deleted at the end of what was done with it."""
    async with ScriptedPool() as pool:
        pool.plan(*map(Answer, answers))
        context = context_of(Credential(), pool_endpoint=pool.url)
        async with wire_of(context) as wire:
            with suppress(KeyError):
                async with Probe(context, wire).session():
                    if error:
                        raise error
        return len(pool.seen)


async def test_a_session_that_is_gone_is_deleted_once() -> None:
    assert await deletions((404, 204)) == 1


async def test_a_session_whose_allocation_may_be_under_way_is_deleted_when_it_has_come() -> None:
    assert await deletions((404, 204), KeyError()) == 2


async def test_a_deletion_is_tried_again_while_the_pool_fails_and_not_for_ever() -> None:
    assert await deletions((503, 204)) == 2
    assert await deletions((503, 503, 503, 503)) == 3


async def test_a_pool_that_does_not_delete_is_asked_once() -> None:
    assert await deletions((405, 204)) == 1
