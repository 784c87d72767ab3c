"""What the doctor tells people to run, made with sample names, for `remedies.txt`: `sources.py` reads that.

The Azure CLI has an environment of its own, without the worker: so its tables are held against the file.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ResourceNotFoundError

from tests.contract.doctor.entra import ACCOUNT, ENDPOINT, Credential, context_of
from worker.cli.top import command as top
from worker.doctor.entities import Entity
from worker.doctor.environment import examine_environment
from worker.doctor.namespace import Namespace
from worker.doctor.pool_size import Filled, judged
from worker.doctor.pool_wire import Answer
from worker.doctor.pool_wire import refusal_of as refusal_of_pool
from worker.doctor.queue_judging import Judge
from worker.doctor.roles import POOL_ROLE, grant, pool_scope
from worker.doctor.session_answers import execution
from worker.doctor.session_findings import egress
from worker.doctor.sign_in import credential
from worker.doctor.storage import privacy
from worker.doctor.storage_account import account_url
from worker.doctor.storage_account import refusal_of as refusal_of_storage
from worker.faults import ConfigurationFault, ServiceFault
from worker.queue_properties import QueueCounts, QueueProperties
from worker.setting_groups import PREFIX
from worker.tokens import SCOPE as POOL_SCOPE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from worker.doctor.context import Context

MADE = Path(__file__).parent / "remedies.txt"
ENTITIES = (
    Entity("jobs", "jobs", "QUEUE", received=True),
    Entity("uploads/Subscriptions/code", "jobs", "QUEUES", received=True, sent=False),
    Entity("events", "events", "EVENTS_TO", is_topic=True),
)
NAMESPACE = Namespace("name.servicebus.windows.net", 5671, is_emulator=False)
FULL = QueueCounts(active=9, scheduled=0, dead_lettered=1, transfer=0, size_bytes=1 << 30)
ILL = QueueProperties(
    name="ill",
    lock_seconds=5,
    max_delivery_count=1,
    duplicate_window_seconds=20,
    time_to_live_seconds=60,
    dead_lettering_on_expiration=False,
    requires_session=True,
    status="Disabled",
    max_size_bytes=1 << 30,
    forward_to="other",
)
STORAGE_CODES = ("AuthorizationPermissionMismatch", "AuthorizationFailure", "InvalidAuthenticationInfo")
PYTHON = {"status": "Succeeded", "result": {"stdout": "", "stderr": "NameError: name 'os'"}}
THROWN = {"status": "Failed", "result": {"stdout": "", "stderr": "Error"}}


async def made() -> list[str]:
    """Each remedy that has a command of az in it, once; the environment has no settings."""
    context = context_of(Credential())
    remedies = [
        *_of_settings(),
        *await _of_sign_in(),
        *_of_queues(context),
        *await _of_storage(context),
        *await _of_pool(context),
        top.epilog or "",
    ]
    lines = [line.strip() for remedy in remedies for line in remedy.split("\n")]
    return list(dict.fromkeys(line for line in lines if "az " in line))


def _of_settings() -> Iterator[str]:
    for environ in ({}, {f"{PREFIX}POOL_ENDPOINT": ENDPOINT}):
        yield from (finding.remedy or "" for finding in examine_environment(environ)[1])


async def _of_sign_in() -> Iterator[str]:
    findings = await credential(context_of(Credential(ClientAuthenticationError("none"))))
    return (finding.remedy or "" for finding in findings)


def _of_queues(context: Context) -> Iterator[str]:
    for entity in ENTITIES:
        judge = Judge(entity, NAMESPACE, context.settings)
        most = None if entity.kind == "subscription" else 1 << 30
        findings = [*judge.queue(ILL), *judge.contents(FULL, most), judge.missing("-"), judge.hidden("-")]
        yield from (finding.remedy or "" for finding in findings)
        yield NAMESPACE.scope(entity)
    yield NAMESPACE.keys()


async def _of_storage(context: Context) -> list[str]:
    faults = [_storage_error(code) for code in STORAGE_CODES] + [ResourceNotFoundError("none")]
    told = [await refusal_of_storage(context, ACCOUNT, "results", error) for error in faults]
    with_key = context_of(None, storage_connection_string="no such thing")
    told.append(await refusal_of_storage(with_key, ACCOUNT, "results", _storage_error("-")))
    try:
        account_url(with_key.settings)
    except ConfigurationFault as fault:
        told.append(fault)
    return [privacy(context, "results", "blob").remedy or "", *map(_remedy, told)]


def _storage_error(code: str) -> HttpResponseError:
    error = HttpResponseError(code)
    error.status_code, error.error_code = 403, code  # type: ignore[attr-defined] # as the SDK adds it
    return error


async def _of_pool(context: Context) -> list[str]:
    with_token = context_of(None, pool_token="t")  # noqa: S106 - a token of nobody
    told = [
        _remedy(await refusal_of_pool(asked, _answer(status)))
        for asked, status in ((context, 403), (context, 401), (with_token, 401), (context, 404))
    ]
    told.append(await grant(context, POOL_ROLE, POOL_SCOPE, pool_scope("https://pool.example")))
    for answer in (_answer(404), _answer(200, PYTHON), _answer(200, THROWN)):
        try:
            await execution(context, answer)
        except ConfigurationFault as fault:
            told.append(fault.remedy)
    size = judged(9, Filled(0, 5, _answer(404), None), ENDPOINT)
    return [*told, size.remedy or "", egress(["1.1.1.1:443"], ENDPOINT).remedy or ""]


def _remedy(fault: ServiceFault) -> str:
    return fault.remedy if isinstance(fault, ConfigurationFault) else ""


def _answer(status: int, document: object = None) -> Answer:
    return Answer(httpx.Response(status, json=document), 0.1)


if __name__ == "__main__":
    for variable in [name for name in os.environ if name.startswith(PREFIX)]:
        del os.environ[variable]
    MADE.write_text("\n".join(asyncio.run(made())) + "\n")
