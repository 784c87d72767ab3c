"""Names in remedies are words for the shell, whatever is in them: they are copied and run."""

from __future__ import annotations

import shlex
from contextlib import AsyncExitStack

import pytest

from worker.doctor.context import Context
from worker.doctor.entities import Entity
from worker.doctor.environment import pool_change, pool_command
from worker.doctor.namespace import Namespace
from worker.doctor.roles import container_scope, grant, pool_scope
from worker.doctor.storage import privacy
from worker.settings import WorkerSettings

NAME = "a b;$(touch c)`d`'\"&"
ENDPOINT = f"https://h/subscriptions/s/resourceGroups/{NAME}/sessionPools/{NAME}"
AZURE = Namespace("name.servicebus.windows.net", 5671, is_emulator=False)
QUEUE = Entity(NAME, "jobs", "QUEUE", received=True)
SUBSCRIPTION = Entity(f"{NAME}/Subscriptions/{NAME}", "jobs", "QUEUES", received=True)


@pytest.mark.parametrize(
    "command",
    [
        AZURE.show(QUEUE),
        AZURE.create(SUBSCRIPTION),
        AZURE.change(QUEUE, "--status", "Active"),
        pool_command("x", ENDPOINT),
        pool_change("--max-sessions", 5, ENDPOINT),
    ],
)
def test_a_hostile_name_stays_one_word(command: str) -> None:
    assert NAME in shlex.split(command)


@pytest.mark.parametrize(
    "scope",
    [
        AZURE.scope(QUEUE),
        AZURE.scope(SUBSCRIPTION),
        pool_scope(ENDPOINT),
        container_scope("https://a.example", NAME),
    ],
)
async def test_a_scope_is_one_word_at_the_end_of_which_the_name_stands(scope: str) -> None:
    context = Context(WorkerSettings(pool_endpoint=ENDPOINT, max_sessions=1), None, AsyncExitStack())
    words = shlex.split(await grant(context, "role", "resource", scope), comments=True)
    assert words[-2] == "--scope"
    assert words[-1].endswith(NAME)
    assert f"/{shlex.quote(NAME)}" in scope or scope.startswith("'")


def test_a_container_that_anybody_can_read_is_named_as_one_word() -> None:
    settings = WorkerSettings(
        pool_endpoint="https://h", max_sessions=1, storage_account_url="https://a;b.example"
    )
    context = Context(settings, None, AsyncExitStack())
    words = shlex.split(str(privacy(context, NAME, "blob").remedy))
    assert {NAME, "a;b"} <= set(words)
